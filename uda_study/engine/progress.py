"""How far a study is, cell by cell, and how long it will still take."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from uda_study.engine.queue import CellWork, WorkQueue


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
class _Tally:
    """What has been counted of one cell so far."""

    ended: Counter[str] = field(default_factory=Counter)
    confirmations: int = 0
    best: float | None = None


@dataclass
class ProgressMeter:
    """Reads the queue and the clock; ``others`` counts baselines and confirmations per cell.

    It is read at every event, so it counts on from where it was: the queue only adds.
    """

    queue: WorkQueue
    baselines: int
    confirmations_per_cell: int
    started: float = field(default_factory=time.monotonic)
    finished_before: int = 0
    _tallies: dict[str, _Tally] = field(default_factory=dict)
    _specs: int = 0
    _results: int = 0

    def read(self) -> Progress:
        """Return the state now."""
        queue = self.queue
        self._count_on()
        total = self.baselines + sum(self._total(work) for work in queue.cells.values())
        done = len(queue.results)
        seconds = time.monotonic() - self.started
        fresh = done - self.finished_before
        left = None
        if fresh > 0:
            left = max(0, total - done) * seconds / fresh
        running = Counter(spec.cell for spec in queue.running.values())
        return Progress(
            tuple(self._cell(work, running) for work in queue.cells.values()),
            done,
            len(queue.running),
            total,
            seconds,
            left,
        )

    def _count_on(self) -> None:
        """Take in the trainings that were begun or ended since the last time."""
        queue = self.queue
        for spec in islice(queue.specs.values(), self._specs, None):
            self._tally(spec.cell).confirmations += spec.kind == "confirm"
        for result in islice(queue.results.values(), self._results, None):
            spec = queue.specs[result.key]
            tally = self._tally(spec.cell)
            tally.ended[result.status] += 1
            value = result.scores.get(queue.metric)
            if spec.kind == "search" and result.status == "complete" and value is not None:
                tally.best = value if tally.best is None else max(tally.best, value)
        self._specs, self._results = len(queue.specs), len(queue.results)

    def _tally(self, cell: str) -> _Tally:
        return self._tallies.setdefault(cell, _Tally())

    def _total(self, work: CellWork) -> int:
        """Return the trainings of a cell, those included whose setting is no longer chosen."""
        confirmed = self._tally(work.cell.key).confirmations
        if work.pending is None:
            return work.num_samples + confirmed + self.confirmations_per_cell
        return work.num_samples + confirmed + len(work.pending)

    def _cell(self, work: CellWork, running: Mapping[str, int]) -> CellProgress:
        key = work.cell.key
        tally = self._tally(key)
        return CellProgress(
            key=key,
            done=tally.ended["complete"],
            running=running.get(key, 0),
            pruned=tally.ended["pruned"],
            failed=tally.ended["failed"] + tally.ended["diverged"],
            total=self._total(work),
            best=tally.best,
        )
