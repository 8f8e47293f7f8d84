"""A cluster looked at from outside: its address from here, everything else by a job on its head."""

from __future__ import annotations

import json
import time
import uuid

from uda_study.clusters.findings import DRIVER, Finding, software
from uda_study.clusters.jobs import STOP_WAIT_S, Jobs, is_open
from uda_study.clusters.reach import reached
from uda_study.clusters.shipping import staged
from uda_study.clusters.submitting import wait_until_ended
from uda_study.clusters.target import JobsApi, Launched
from uda_study.errors import ClusterError, UdaStudyError

_NAME = "doctor"
_KEYS = {"what", "good", "value", "remedy"}


def diagnose(target: JobsApi | Launched) -> list[Finding]:
    """Look at a cluster that takes submissions; what is wrong is a finding, not an error."""
    try:
        with reached(target) as jobs:
            answers = Finding("cluster", True, f"{target} answers")
            inside = _inside(jobs)
    except UdaStudyError as error:
        return [Finding("cluster", False, "not usable", str(error))]
    driver = next((one.value for one in inside if one.what == DRIVER), "")
    return [answers, _token(target), compare_versions(driver), *inside]


def compare_versions(there: str) -> Finding:
    """Compare what the driver runs on with ours: what one writes the other has to read."""
    here = software()
    return Finding(
        "versions",
        there == here,
        here if there == here else f"{there} there, {here} here",
        "install the same Ray and the same minor version of Python",
    )


def _token(target: JobsApi | Launched) -> Finding:
    # Another one that is open is refused before this is asked.
    is_closed = not isinstance(target, JobsApi) or not is_open(target.url)
    return Finding(
        "token",
        is_closed,
        "is asked for" if is_closed else "is not asked for: whoever reaches it runs code there",
        "start the cluster with RAY_AUTH_MODE=token",
    )


def _inside(jobs: Jobs) -> list[Finding]:
    submission = f"{_NAME}-{uuid.uuid4().hex[:8]}"
    with staged() as package:
        words = ["doctor", "--cluster", "auto", "--json"]
        jobs.submit(submission, words, package.folder, (), _NAME)
        job = wait_until_ended(jobs, submission, STOP_WAIT_S, time.sleep)
    log = jobs.log(submission)
    jobs.delete(submission)
    found = parse(log)
    if found is None:
        last = log.strip().splitlines()[-1:] or [job.message or job.status]
        raise ClusterError(f"the check on the head ended without a result: {last[0]}")
    return found


def parse(log: str) -> list[Finding] | None:
    """Return the findings of a job's log, which has lines of Ray's before them; None if none."""
    start = log.find("\n[\n")
    try:
        found, _ = json.JSONDecoder().raw_decode(log[start + 1 :] if start >= 0 else log)
    except ValueError:
        return None
    if not isinstance(found, list) or not all(set(one) == _KEYS for one in found):
        return None
    return [Finding(**one) for one in found]
