"""Read a job's log as it grows; a lost connection does not end the job, nor the reading."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from uda_study.clusters.jobs import FAILED, PENDING, STOPPED, SUCCEEDED, Job, Jobs, Unreachable
from uda_study.errors import ClusterError

# How long a cluster may be out of reach before following it ends.
PATIENCE_S = 1800.0
_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
# A log is fetched whole, so a long one is asked for less often: this much per second.
_BYTES_PER_S = 200_000
_TERMINATED = 143
_OWN_CODES = frozenset((0, 1, 2, 3, 4, _TERMINATED))

Reach = Callable[[], AbstractContextManager[Jobs]]


@dataclass
class Follower:
    """Follows one job; ``write`` gets what is new in its log, ``tell`` what becomes of the line."""

    reach: Reach
    submission: str
    write: Callable[[str], None]
    tell: Callable[[str], None]
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    shown: int = field(default=0, init=False)
    _lost: float | None = field(default=None, init=False)

    def follow(self) -> Job:
        """Read until the job has ended, and return how it did.

        A lost connection is opened again, and the log goes on where it was. `Unreachable` when that
        takes longer than `PATIENCE_S`; `ClusterError` where the cluster does not know the job.
        """
        wait = _PAUSE_S
        while True:
            try:
                with self.reach() as jobs:
                    return self._read(jobs)
            except Unreachable as error:
                if self._lost is None:
                    self._lost, wait = self.clock(), _PAUSE_S
                    self.tell(f"the connection was lost ({error}); the job goes on; trying again")
                elif self.clock() - self._lost > PATIENCE_S:
                    raise
            self.pause(wait)
            wait = min(2 * wait, _LONGEST_PAUSE_S)

    def _read(self, jobs: Jobs) -> Job:
        while True:
            # Asked before its log is read, so that the end of the log is not missed.
            job = jobs.job(self.submission)
            if self._lost is not None:
                # Not before: a tunnel may open where nothing answers at its end.
                self._lost = None
                self.tell("connected again")
            if job is None:
                raise ClusterError(f"the cluster does not know {self.submission}")
            log = jobs.log(self.submission) if job.status != PENDING else ""
            if log[self.shown :]:
                self.write(log[self.shown :])
                self.shown = len(log)
            if job.ended:
                return job
            self.pause(max(_PAUSE_S, len(log) / _BYTES_PER_S))


def exit_code(job: Job) -> int:
    """Return what the command would have exited with here; 143 for a job that was stopped."""
    if job.status == SUCCEEDED:
        return 0
    if job.status == STOPPED:
        return _TERMINATED
    if job.status == FAILED and job.code in _OWN_CODES:
        return job.code
    return 1
