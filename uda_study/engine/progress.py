"""How far a study is, cell by cell, and how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from uda_study.engine.queue import CellWork, WorkQueue
from uda_study.study.trial import TrialResult


@dataclass(frozen=True)
class CellProgress:
    """The state of one cell: how many trainings ended in which way, and its best search score."""

    key: str
    done: int
    running: int
    pruned: int
    failed: int
    total: int
    best: float | None


@dataclass(frozen=True)
class Progress:
    """The state of a study; ``seconds_left`` is None until a training has ended."""

    cells: tuple[CellProgress, ...]
    done: int
    running: int
    total: int
    seconds: float
    seconds_left: float | None


@dataclass
class ProgressMeter:
    """Reads the queue and the clock; ``others`` counts baselines and confirmations per cell."""

    queue: WorkQueue
    baselines: int
    confirmations_per_cell: int
    started: float = field(default_factory=time.monotonic)
    finished_before: int = 0

    def read(self) -> Progress:
        """Return the state now."""
        queue = self.queue
        total = self.baselines + sum(self._total(work) for work in queue.cells.values())
        done = len(queue.results)
        seconds = time.monotonic() - self.started
        fresh = done - self.finished_before
        left = None
        if fresh > 0:
            left = max(0, total - done) * seconds / fresh
        return Progress(
            tuple(self._cell(work) for work in queue.cells.values()),
            done,
            len(queue.running),
            total,
            seconds,
            left,
        )

    def _total(self, work: CellWork) -> int:
        """Return the trainings of a cell, those included whose setting is no longer chosen."""
        confirmed = sum(
            spec.kind == "confirm" and spec.cell == work.cell.key
            for spec in self.queue.specs.values()
        )
        if work.pending is None:
            return work.num_samples + confirmed + self.confirmations_per_cell
        return work.num_samples + confirmed + len(work.pending)

    def _cell(self, work: CellWork) -> CellProgress:
        key = work.cell.key
        specs = self.queue.specs
        mine = [r for r in self.queue.results.values() if specs[r.key].cell == key]
        searched = [r for r in mine if specs[r.key].kind == "search" and r.status == "complete"]
        best = [r.scores[self.queue.metric] for r in searched if self.queue.metric in r.scores]
        return CellProgress(
            key=key,
            done=_count(mine, "complete"),
            running=sum(spec.cell == key for spec in self.queue.running.values()),
            pruned=_count(mine, "pruned"),
            failed=_count(mine, "failed") + _count(mine, "diverged"),
            total=self._total(work),
            best=max(best, default=None),
        )


def _count(results: Sequence[TrialResult], status: str) -> int:
    return sum(result.status == status for result in results)
