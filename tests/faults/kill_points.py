"""Points in a running study at which its process kills itself, and a way to die at each of them."""

import json
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from uda_study.engine import records
from uda_study.engine.journal import Journal
from uda_study.tracking.log import MlflowRunLog
from uda_study.tracking.study_runs import StudyRuns

PLAN: Sequence[tuple[str, int]] = (
    ("before a file of the study", 3),
    ("log opened", 1),
    ("started", 1),
    ("half a line", 1),
    ("in a checkpoint", 1),
    ("after a checkpoint", 2),
    ("half a line", 3),
    ("reported", 2),
    ("before a result", 1),
    ("after a result", 1),
    ("finished", 1),
    ("in the writer", 3),
    ("a run ends", 2),
    ("half a line", 9),
    ("finished", 3),
    ("started confirm", 1),
    ("half a line", 3),
    ("after a result", 1),
    ("finished confirm", 1),
    ("log closes", 1),
)
"""What to die at, and at which time that it comes by in this process."""


@dataclass
class Death:
    """Kills this process when it comes by its point for the last time that is left."""

    point: str
    times: int

    def by(self, point: str) -> bool:
        """Note that the process comes by a point; tells whether it is to die there."""
        if point == self.point:
            self.times -= 1
        return point == self.point and self.times == 0

    def at(self, point: str) -> None:
        """Die, if it is to be here."""
        if self.by(point):
            die()

    def lie_in_wait(self) -> None:
        """Watch all points of this process."""
        self._in_the_journal()
        _before(MlflowRunLog, "close", lambda: self.at("log closes"))
        _after(MlflowRunLog, "open", lambda: self.at("log opened"))
        _before(StudyRuns, "_log", lambda: self.at("in the writer"))
        _before(StudyRuns, "_end", lambda: self.at("a run ends"))
        _before(records, "_write", lambda: self.at("before a file of the study"))

    def around_training(self, module: Any, store: Any) -> None:
        """Watch the points of the stub's trainings."""
        _before(module, "write_result", lambda: self.at("before a result"))
        _after(module, "write_result", lambda: self.at("after a result"))
        _after(store, "save", lambda: self.at("after a checkpoint"))
        save = torch.save

        def torn(state: object, file: Any) -> None:
            if self.by("in a checkpoint"):
                file.write(b"half of it")
                file.flush()
                die()
            save(state, file)

        torch.save = torn

    def _in_the_journal(self) -> None:
        append = Journal._append
        kinds: dict[str, str] = {}

        def watched(journal: Journal, line: bytes) -> None:
            if self.by("half a line"):
                with journal.path.open("ab") as file:
                    file.write(line[: len(line) // 2])
                    file.flush()
                    die()
            append(journal, line)
            event = json.loads(line)
            name = event["event"]
            if name == "started":
                kinds[_key(journal)] = event["spec"]["kind"]
            self.at(name)
            if name in ("started", "finished"):
                self.at(f"{name} {kinds.get(_key(journal), '')}")

        Journal._append = watched  # type: ignore[method-assign]


def die() -> None:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def _key(journal: Journal) -> str:
    # One training runs at a time: what was started last is what finishes.
    return str(journal.path)


def _before(owner: Any, name: str, what: Callable[[], None]) -> None:
    original = getattr(owner, name)

    def wrapped(*args: Any, **options: Any) -> Any:
        what()
        return original(*args, **options)

    setattr(owner, name, wrapped)


def _after(owner: Any, name: str, what: Callable[[], None]) -> None:
    original = getattr(owner, name)

    def wrapped(*args: Any, **options: Any) -> Any:
        found = original(*args, **options)
        what()
        return found

    setattr(owner, name, wrapped)
