"""How a submission is now, as far as its cluster answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from uda_study.clusters.reach import reached
from uda_study.clusters.records import UNKNOWN, Submission, Submissions
from uda_study.clusters.target import submits_to
from uda_study.errors import InputError, UdaStudyError


def seen_now(home: Path, record: Submission) -> Submission:
    """Return the record as its cluster has it; one that has ended is not asked about again.

    Where the cluster does not answer, the last answer stands and ``unreachable`` says why.
    """
    if record.ended:
        return record
    try:
        with reached(submits_to(record.cluster)) as jobs:
            job = jobs.job(record.submission)
    except UdaStudyError as error:
        return replace(record, unreachable=str(error))
    return Submissions(home).seen(record, job.status if job else UNKNOWN)


def refuse_twice(home: Path, study: str, cluster: str) -> str | None:
    """Raise `InputError` where the study runs on another cluster than this one.

    Returns what to tell the user where that cluster does not answer.
    """
    found = [one for one in Submissions(home).all() if one.study == study]
    if not found or found[0].cluster == cluster:
        return None
    record = seen_now(home, found[0])
    if record.unreachable:
        return (
            f"! {record.submission} was {record.status.lower()} at {record.cluster}, which does "
            "not answer now"
        )
    if not record.ended:
        raise InputError.of(
            f"study {study}",
            "is being run on another cluster",
            record.cluster,
            f"uda-study follow {study}, or uda-study stop {study}",
        )
    return None
