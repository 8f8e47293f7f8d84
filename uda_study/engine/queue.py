"""Which training comes next: all cells share the machine, and none waits while there is work."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from uda_study.engine.halving import Halving
from uda_study.engine.journal import Event, Failed, Reported, Retried, Started
from uda_study.engine.search import CellSearch
from uda_study.study.selection import ranking, ranking_by
from uda_study.study.trial import Cell, TrialResult, TrialSpec
from uda_study.types import JSON


@dataclass
class CellWork:
    """The trainings of one cell: its search, and the confirmation of what was chosen."""

    cell: Cell
    search: CellSearch
    halving: Halving
    num_samples: int
    search_spec: Callable[[Cell, int, Mapping[str, JSON]], TrialSpec]
    confirmations: Callable[[Cell, Sequence[TrialSpec]], Sequence[TrialSpec]]
    started: dict[str, TrialSpec] = field(default_factory=dict)
    results: dict[str, TrialResult] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    pending: list[TrialSpec] | None = None
    _seen: int = 0
    _taken: set[int] = field(default_factory=set)
    _lowest: int = 0

    @property
    def asked(self) -> int:
        """How many settings were proposed so far."""
        return len(self.started)

    @property
    def next_number(self) -> int:
        """The lowest number that no training of the search has yet."""
        # What was started stays so: a look at those that came since is enough.
        self._taken.update(s.number for s in islice(self.started.values(), self._seen, None))
        self._seen = len(self.started)
        while self._lowest in self._taken:
            self._taken.remove(self._lowest)
            self._lowest += 1
        return self._lowest

    @property
    def searched(self) -> bool:
        """Whether every training of the search has ended."""
        return self.asked >= self.num_samples and len(self.results) >= self.num_samples


class WorkQueue:
    """Hands out trainings and takes in what became of them.

    The order: trainings that an interruption cut off, baselines that read no target labels (they
    train the shared source segmenters), the searches of all cells in turn, confirmations of cells
    whose search has ended, and the other baselines, which fill what would stand idle. A search or
    confirmation whose source segmenter another training is just making is held back meanwhile: it
    would only wait for it, in a place where others could train.
    """

    def __init__(
        self,
        cells: Sequence[CellWork],
        first: Sequence[TrialSpec],
        last: Sequence[TrialSpec],
        metric: str,
        top_k: int,
    ) -> None:
        self.cells = {work.cell.key: work for work in cells}
        self.metric = metric
        self.top_k = top_k
        self._interrupted: list[TrialSpec] = []
        self._first, self._last = list(first), list(last)
        self._labelled = {spec.key for spec in last}
        self._made: set[tuple[str, int, int]] = set()
        self.running: dict[str, TrialSpec] = {}
        self.results: dict[str, TrialResult] = {}
        self.specs: dict[str, TrialSpec] = {}
        self.failures: dict[str, list[str]] = {}

    def replay(self, events: Sequence[Event]) -> None:
        """Take in what an earlier run of the study did, before anything is handed out.

        Reports and ends of trainings whose start is not among the events are passed over.
        Confirmations that were cut off before their cell's search was extended wait for the new
        choice, since they may no longer stand.
        """
        for event in events:
            if isinstance(event, Started):
                self._take(event.spec)
            elif isinstance(event, Failed):
                self.failures.setdefault(event.key, []).append(event.message)
            elif isinstance(event, Retried):
                self._reopen(event.key)
            elif isinstance(event, Reported):
                # A crash may have come between the decision to stop and its being carried out.
                known = event.key in self.running
                if known and self.reported(event.key, event.step, event.scores):
                    self.finished(TrialResult(event.key, "pruned", event.step, event.scores))
            elif event.result.key in self.running:
                self.finished(event.result)
        self._interrupted = [spec for spec in self.running.values() if not self._is_early(spec)]
        for spec in self.running.values():
            if self._is_early(spec):
                del self.specs[spec.key]
        self.running = {}

    def next(self) -> TrialSpec | None:
        """Return the next training; None when nothing can be started now."""
        spec = self._pick()
        if spec is not None:
            self.running[spec.key] = spec
            self.specs[spec.key] = spec
        return spec

    @property
    def done(self) -> bool:
        """Whether nothing runs and nothing is left."""
        idle = not (self.running or self._interrupted or self._first or self._last)
        return idle and all(w.searched and w.pending == [] for w in self.cells.values())

    def reported(self, key: str, step: int, scores: Mapping[str, float]) -> bool:
        """Note a report and return whether to stop the training early."""
        spec = self.specs[key]
        self._note_segmenter(spec)
        if spec.kind != "search" or self.metric not in scores:
            return False
        work = self.cells[spec.cell]
        value = scores[self.metric]
        work.last[key] = value
        work.search.report(spec.number, step, value)
        return work.halving.stops(key, step, value)

    def finished(self, result: TrialResult) -> None:
        """Note the end of a training; the last of a cell's search makes its confirmations."""
        spec = self.running.pop(result.key)
        self.results[result.key] = result
        self._note_segmenter(spec)
        if spec.kind != "search":
            return
        work = self.cells[spec.cell]
        work.results[result.key] = result
        value = result.scores.get(self.metric, work.last.get(result.key))
        status = result.status
        if status == "complete" and (value is None or math.isnan(value)):
            status = "failed"
        work.search.tell(spec.number, status, value)
        if work.searched:
            known = [s for s in self.specs.values() if s.kind == "confirm" and s.cell == spec.cell]
            work.pending = [
                confirmation
                for confirmation in work.confirmations(work.cell, self._chosen(work))
                if not any(_same_training(confirmation, other) for other in known)
            ]

    def unfinished(self) -> list[TrialSpec]:
        """Return what an earlier run began and did not end; it comes first."""
        return list(self._interrupted)

    def superseded(self) -> list[TrialSpec]:
        """Return the confirmations of settings that their cell, searched on, no longer chose."""
        found = []
        for work in self.cells.values():
            if work.searched and work.started:
                chosen = [spec.params for spec in self._chosen(work)]
                mine = [s for s in self.specs.values() if s.cell == work.cell.key]
                found += [s for s in mine if s.kind == "confirm" and s.params not in chosen]
        return found

    def _chosen(self, work: CellWork) -> list[TrialSpec]:
        """Return the settings of the cell that the study's selection rule likes best.

        A setting that several trials drew counts once: the test set is not asked about it twice.
        """
        records = [
            {"key": key, "number": work.started[key].number, "status": r.status, **r.scores}
            for key, r in work.results.items()
        ]
        if self.metric.startswith("oracle/"):
            keys = ranking_by(records, self.metric)
        else:
            keys = ranking(records)
        distinct: list[TrialSpec] = []
        for key in keys:
            if not any(work.started[key].params == other.params for other in distinct):
                distinct.append(work.started[key])
        return distinct[: self.top_k]

    def _pick(self) -> TrialSpec | None:
        if self._interrupted:
            return self._interrupted.pop(0)
        if self._first:
            return self._first.pop(0)
        making = {_segmenter(s) for s in self.running.values() if s.key not in self._labelled}
        making -= self._made
        open_cells = [w for w in self.cells.values() if w.asked < w.num_samples]
        for work in sorted(open_cells, key=lambda w: w.asked):
            number = work.next_number
            if _segmenter(work.search_spec(work.cell, number, {})) not in making:
                spec = work.search_spec(work.cell, number, work.search.ask(number))
                work.started[spec.key] = spec
                return spec
        for work in self.cells.values():
            for place, spec in enumerate(work.pending or []):
                if _segmenter(spec) not in making:
                    return (work.pending or []).pop(place)
        return self._last.pop(0) if self._last else None

    def _note_segmenter(self, spec: TrialSpec) -> None:
        if spec.key not in self._labelled:
            self._made.add(_segmenter(spec))

    def _is_early(self, spec: TrialSpec) -> bool:
        """Tell whether a confirmation stands for a choice that is open again."""
        return spec.kind == "confirm" and not self.cells[spec.cell].searched

    def _reopen(self, key: str) -> None:
        """Forget how a training ended; its start, which follows, is as its first one.

        The sampler keeps what it was told, since its proposals rest on it.
        """
        if self.results.pop(key, None) is None:
            return
        spec = self.specs[key]
        self.running[key] = spec
        if spec.kind == "search":
            work = self.cells[spec.cell]
            del work.results[key]
            work.last.pop(key, None)
            work.pending = None
            self._register(work, spec)

    def _register(self, work: CellWork, spec: TrialSpec) -> None:
        searched = {n: v for n, v in spec.params.items() if n in work.search.space.parameters}
        work.search.take(spec.number, searched)

    def _take(self, spec: TrialSpec) -> None:
        """Register a training that an earlier run handed out."""
        self.specs[spec.key] = spec
        self.running[spec.key] = spec
        for waiting in (self._first, self._last, *(w.pending or [] for w in self.cells.values())):
            waiting[:] = [other for other in waiting if other.key != spec.key]
        if spec.kind == "search" and spec.key not in self.cells[spec.cell].started:
            work = self.cells[spec.cell]
            work.started[spec.key] = spec
            self._register(work, spec)


def _same_training(one: TrialSpec, other: TrialSpec) -> bool:
    return (one.params, one.fold, one.seed) == (other.params, other.fold, other.seed)


def _segmenter(spec: TrialSpec) -> tuple[str, int, int]:
    """Return what decides which source segmenter a training starts from, its settings apart."""
    return spec.direction, spec.fold, spec.seed
