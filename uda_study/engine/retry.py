"""Which trainings of a study went wrong, and how they are done again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uda_study.engine.journal import Event, Failed, Finished, Journal, Retried, Started
from uda_study.engine.trial import RESULT, read_result
from uda_study.study.trial import TrialSpec

Fault = Literal["failed", "diverged"]


@dataclass(frozen=True)
class Faulty:
    """A training that went wrong, how often it has been tried, and what it said last."""

    spec: TrialSpec
    fault: Fault
    attempts: int
    message: str

    def __str__(self) -> str:
        tried = f"attempt {self.attempts}" if self.attempts == 1 else f"{self.attempts} attempts"
        return f"{self.fault}: {named(self.spec)} ({self.spec.key}, {tried}): {self.message}"


def named(spec: TrialSpec) -> str:
    """Return what people call a training, such as ``search 3 of depth=g2 direction=mr->ct``."""
    fold = f" fold {spec.fold}" if spec.fold else ""
    if spec.kind == "search":
        return f"search {spec.number} of {spec.cell}"
    if spec.kind == "confirm":
        return f"confirmation of {spec.cell}, seed {spec.seed}{fold}"
    return f"{spec.cell}, seed {spec.seed}{fold}"


def faulty(events: Sequence[Event], study: Path) -> tuple[Faulty, ...]:
    """Return the trainings that failed or diverged and have not ended well since, in order.

    ``study`` is its folder: what failed before failures were journalled shows there alone.
    """
    specs: dict[str, TrialSpec] = {}
    failures: dict[str, list[str]] = {}
    ended: dict[str, Finished] = {}
    diverged: dict[str, int] = {}
    for event in events:
        if isinstance(event, Started):
            specs[event.spec.key] = event.spec
        elif isinstance(event, Failed):
            failures.setdefault(event.key, []).append(event.message)
        elif isinstance(event, Retried):
            ended.pop(event.key, None)
        elif isinstance(event, Finished):
            ended[event.result.key] = event
            if event.result.status == "diverged":
                diverged[event.result.key] = diverged.get(event.result.key, 0) + 1
    found = []
    for key, spec in specs.items():
        end = ended.get(key)
        if end is not None and end.result.status == "diverged":
            tries = diverged[key] + len(failures.get(key, ()))
            found.append(Faulty(spec, "diverged", tries, end.result.message or ""))
        elif end is None and (said := failures.get(key) or _left_behind(study, key)):
            found.append(Faulty(spec, "failed", diverged.get(key, 0) + len(said), said[-1]))
    return tuple(found)


def reopen_diverged(journal: Journal, study: Path, again: Iterable[Faulty]) -> None:
    """Let the next run of the study do diverged trainings again; failed ones are done anyway."""
    journal.repair()
    for one in again:
        if one.fault == "diverged":
            # Its result first: with it, the training would be taken for done.
            (study / "trials" / one.spec.key / RESULT).unlink(missing_ok=True)
            journal.write(Retried(one.spec.key))


def _left_behind(study: Path, key: str) -> list[str]:
    result = read_result(study / "trials" / key)
    return [result.message or ""] if result is not None and result.status == "failed" else []
