"""A cluster's Jobs API in memory."""

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from uda_study.clusters.jobs import ENDED, PENDING, STOPPED, Job, Member, Unreachable
from uda_study.errors import ClusterError


@dataclass
class FakeJobs:
    """Jobs go on by a step of their script whenever they are asked for.

    A step is (status, what the log has by then, exit code), or an error to raise.
    """

    script: list[tuple[str, str, int | None] | Exception] = field(default_factory=list)
    known: dict[str, Job] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    files: dict[str, dict[str, str]] = field(default_factory=dict)
    words: list[Sequence[str]] = field(default_factory=list)
    pip: list[Sequence[str]] = field(default_factory=list)
    opened: int = 0

    @contextmanager
    def reach(self):
        self.opened += 1
        yield self

    def submit(self, submission, words, package: Path, pip, study) -> None:
        if submission in self.known:
            raise ClusterError(f"Job with submission_id {submission} already exists")
        self.known[submission] = Job(submission, PENDING, study)
        self.logs[submission] = ""
        found = [path for path in package.rglob("*") if path.is_file()]
        self.files[submission] = {
            str(path.relative_to(package)): path.read_text(errors="replace") for path in found
        }
        self.words.append(words)
        self.pip.append(pip)

    def job(self, submission):
        job = self.known.get(submission)
        if job is not None and job.status not in ENDED and self.script:
            step = self.script.pop(0)
            if isinstance(step, Exception):
                raise step
            status, log, code = step
            self.known[submission] = replace(job, status=status, code=code)
            self.logs[submission] = log
        return self.known.get(submission)

    def jobs(self):
        return list(self.known.values())

    def log(self, submission):
        return self.logs[submission]

    def stop(self, submission):
        self.known[submission] = replace(self.known[submission], status=STOPPED)

    def delete(self, submission):
        del self.known[submission]

    def members(self):
        return [Member("10.0.0.1", True, "ALIVE", {"CPU": 4.0, "GPU": 1.0, "memory": 2.0**33})]


LOST = Unreachable("the line is gone")
