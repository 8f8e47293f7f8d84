"""A study becomes a job of a cluster: one at a time, under an id that says whose it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from uda_study.clusters.jobs import Job, Jobs
from uda_study.clusters.shipping import Package, to_install
from uda_study.errors import ClusterError, InputError


def submit(
    jobs: Jobs, study: str, words: Sequence[str], package: Package, *, install: bool = False
) -> str:
    """Submit a command of uda-study for the study and return the submission's id.

    ``install`` has pip install the pinned packages first. `InputError` where the study runs there.
    """
    earlier = of_study(jobs, study)
    for job in earlier:
        if not job.ended:
            raise _running(study, job.id)
    submission = f"{study}-{1 + max((_attempt(job.id) for job in earlier), default=0)}"
    pip = to_install(package) if install else ()
    try:
        jobs.submit(submission, words, package.folder, pip, study)
    except ClusterError as error:
        # Two submissions at one time get the same number, and the cluster takes one of them.
        taken = jobs.job(submission)
        if taken is not None and "already exists" in str(error):
            raise _running(study, submission) from error
        raise
    return submission


def of_study(jobs: Jobs, study: str) -> list[Job]:
    """Return the submissions of one study, the latest last."""
    return sorted(
        (job for job in jobs.jobs() if job.study == study), key=lambda job: _attempt(job.id)
    )


def wait_until_ended(
    jobs: Jobs,
    submission: str,
    patience_s: float,
    pause: Callable[[float], None],
) -> Job:
    """Wait for a submission that was told to stop; `ClusterError` if it does not end in time."""
    waited = 0.0
    while True:
        job = jobs.job(submission)
        if job is None:
            raise ClusterError(f"the cluster no longer knows {submission}")
        if job.ended:
            return job
        if waited >= patience_s:
            raise ClusterError(f"{submission} has not ended after {patience_s:.0f} s")
        pause(1.0)
        waited += 1.0


def _attempt(submission: str) -> int:
    found = re.search(r"-(\d+)$", submission)
    return int(found[1]) if found else 0


def _running(study: str, submission: str) -> InputError:
    return InputError.of(
        f"study {study}", "is being run on this cluster", submission, f"uda-study follow {study}"
    )
