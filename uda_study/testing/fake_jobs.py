"""A cluster's Jobs API in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from uda_study.clusters.jobs import ENDED, PENDING, STOPPED, Job, Member, Unreachable
from uda_study.errors import ClusterError

LOST = Unreachable("the line is gone")


@dataclass
class FakeJobs:
    """Jobs go on by a step of the script whenever one is asked for that has not ended.

    A step is (status, what the log has by then, exit code), or an error to raise.
    """

    script: list[tuple[str, str, int | None] | BaseException] = field(default_factory=list)
    known: dict[str, Job] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    files: dict[str, dict[str, str]] = field(default_factory=dict)
    words: list[Sequence[str]] = field(default_factory=list)
    pip: list[Sequence[str]] = field(default_factory=list)
    opened: int = 0

    @contextmanager
    def reach(self) -> Iterator[FakeJobs]:
        """Count how often the cluster was reached."""
        self.opened += 1
        yield self

    def submit(
        self, submission: str, words: Sequence[str], package: Path, pip: Sequence[str], study: str
    ) -> None:
        """Take a job and the texts of its files."""
        if submission in self.known:
            raise ClusterError(f"Job with submission_id {submission} already exists")
        self.known[submission] = Job(submission, PENDING, study)
        self.logs[submission] = ""
        self.files[submission] = {
            str(path.relative_to(package)): path.read_text(encoding="utf-8", errors="replace")
            for path in package.rglob("*")
            if path.is_file()
        }
        self.words.append(words)
        self.pip.append(pip)

    def job(self, submission: str) -> Job | None:
        """Return the job after its next step."""
        job = self.known.get(submission)
        if job is not None and job.status not in ENDED and self.script:
            step = self.script.pop(0)
            if isinstance(step, BaseException):
                raise step
            status, log, code = step
            self.known[submission] = replace(job, status=status, code=code)
            self.logs[submission] = log
        return self.known.get(submission)

    def jobs(self) -> list[Job]:
        """Return all jobs as they are."""
        return list(self.known.values())

    def log(self, submission: str) -> str:
        """Return what the job has printed."""
        return self.logs[submission]

    def stop(self, submission: str) -> None:
        """End a job that has not ended."""
        job = self.known[submission]
        if not job.ended:
            self.known[submission] = replace(job, status=STOPPED)

    def delete(self, submission: str) -> None:
        """Forget a job."""
        del self.known[submission]

    def members(self) -> list[Member]:
        """Return one machine."""
        return [Member("10.0.0.1", True, "ALIVE", {"CPU": 4.0, "GPU": 1.0, "memory": 2.0**33})]
