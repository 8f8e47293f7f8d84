"""A cluster in simulated time: slots that train side by side, each training as long as it takes."""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from simulation import SPACE, STEPS, confirmations, scores_of, search_spec, spec_of

from uda_study.engine.halving import Halving
from uda_study.engine.queue import CellWork, WorkQueue
from uda_study.engine.search import CellSearch
from uda_study.study.model import SchedulerSpec, SearchSpec
from uda_study.study.trial import Cell, TrialResult, TrialSpec
from uda_study.types import Direction

METHOD = "blind/score"


def queue_of(cells: int, num_samples: int, alg: str = "random", seeds: int = 2) -> WorkQueue:
    """Return the queue of a study whose searches stop early, with baselines on both ends."""
    works = []
    for number in range(cells):
        cell = Cell(f"depth=g{number}", "dam", Direction("mr", "ct"), {}, {"depth": f"g{number}"})
        search = SearchSpec(num_samples=num_samples, alg=alg)
        works.append(
            CellWork(
                cell=cell,
                search=CellSearch(cell.key, SPACE, search, []),
                halving=Halving(SchedulerSpec(grace_period=2, reduction_factor=3), STEPS[-1]),
                num_samples=num_samples,
                search_spec=search_spec,
                confirmations=confirmations,
            )
        )
    first = [spec_of("baseline", "no_adaptation", 0, s, {}, "no_adaptation") for s in range(seeds)]
    last = [spec_of("baseline", "upper", 0, s, {}, "target_supervised") for s in range(seeds)]
    return WorkQueue(works, first, last, METHOD, top_k=1)


def seconds_of(spec: TrialSpec) -> float:
    """Return how long a report of a training takes: by its cell, with some chance."""
    depth = int(spec.cell[-1]) if spec.kind != "baseline" else 1
    return (1 + depth) * random.Random(spec.key).uniform(0.5, 2)


@dataclass
class Cluster:
    """Runs a queue on so many slots; `idle` are slot-seconds without work, by the reason."""

    queue: WorkQueue
    slots: int
    seconds_of: Callable[[TrialSpec], float] = seconds_of
    after: Callable[[], None] = lambda: None
    now: float = 0.0
    busy: float = 0.0
    idle: Counter[str] = field(default_factory=Counter)
    started: Counter[str] = field(default_factory=Counter)
    _due: list[tuple[float, str, int]] = field(default_factory=list)

    def run(self) -> None:
        """Go on until the study is done."""
        while not self.queue.done:
            self._fill()
            free = self.slots - len(self._due)
            reason = "" if not free else held_back(self.queue)
            at, key, number = heapq.heappop(self._due)
            self.busy += (self.slots - free) * (at - self.now)
            self.idle[reason] += free * (at - self.now)
            self.now = at
            self._advance(key, number)
            self.after()

    def _fill(self) -> None:
        while len(self._due) < self.slots and (spec := self.queue.next()) is not None:
            self.started[spec.key] += 1
            heapq.heappush(self._due, (self.now + self.seconds_of(spec), spec.key, 0))

    def _advance(self, key: str, number: int) -> None:
        spec = self.queue.specs[key]
        step = STEPS[number]
        scores = scores_of(spec, step)
        if self.queue.reported(key, step, scores):
            self.queue.finished(TrialResult(key, "pruned", step, scores))
        elif number + 1 == len(STEPS):
            self.queue.finished(TrialResult(key, "complete", step, scores))
        else:
            due = self.now + self.seconds_of(spec)
            heapq.heappush(self._due, (due, key, number + 1))


def held_back(queue: WorkQueue) -> str:
    """Tell why a queue that was just asked in vain has nothing to start, from what it shows.

    ``segmenters``: all that is left starts from one in the making. ``choices``: searches have yet
    to end. ``the end``: nothing is left. ``nothing`` would be a fault of the queue.
    """
    open_searches = [w for w in queue.cells.values() if w.asked < w.num_samples]
    waiting: Sequence[TrialSpec] = [s for w in queue.cells.values() for s in w.pending or ()]
    if open_searches or waiting:
        seeds = {s.seed for s in waiting} | ({0} if open_searches else set())
        making = {s.seed for s in queue.running.values() if s.cell != "upper"}
        return "segmenters" if seeds <= making else "nothing"
    return "the end" if all(w.searched for w in queue.cells.values()) else "choices"
