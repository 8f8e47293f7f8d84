"""From what ``--cluster`` names to its Jobs API, through a tunnel where there is no other way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from uda_study.clusters.jobs import Jobs, open_jobs
from uda_study.clusters.target import JobsApi, Launched


@contextmanager
def reached(target: JobsApi | Launched, tell: Callable[[str], None]) -> Iterator[Jobs]:
    """Yield the cluster's Jobs API; a tunnel that it needs ends with the block."""
    if isinstance(target, JobsApi):
        yield open_jobs(target)
        return
    raise NotImplementedError
