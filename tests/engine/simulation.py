"""A study's queue driven without training: scores are a function of the setting and the step."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from uda_study.engine.halving import Halving
from uda_study.engine.journal import Event, Finished, Reported, Started
from uda_study.engine.queue import CellWork, WorkQueue
from uda_study.engine.search import CellSearch
from uda_study.study.model import (
    CategoricalParameter,
    FloatParameter,
    SchedulerSpec,
    SearchSpec,
)
from uda_study.study.space import Space
from uda_study.study.trial import Cell, Kind, TrialResult, TrialSpec
from uda_study.types import JSON, Direction

STEPS = (2, 4, 6, 8)
SPACE = Space(
    {
        "lr": FloatParameter(type="float", low=1e-4, high=1e-1, log=True),
        "align": CategoricalParameter(type="categorical", choices=("wasserstein", "squares")),
        "clip": FloatParameter(type="float", low=0.01, high=0.1, when={"align": "wasserstein"}),
    }
)
PUBLISHED: Mapping[str, JSON] = {"lr": 1e-3, "align": "wasserstein", "clip": 0.03}
NUM_SAMPLES = 8


def spec_of(
    kind: Kind, cell: str, number: int, seed: int, params: Mapping[str, JSON], method: str = "dam"
) -> TrialSpec:
    return TrialSpec("tiny", kind, cell, number, method, "mr->ct", 0, seed, dict(params))


def search_spec(cell: Cell, number: int, params: Mapping[str, JSON]) -> TrialSpec:
    return spec_of("search", cell.key, number, 0, {**cell.constants, **params})


def confirmations(cell: Cell, chosen: Sequence[TrialSpec]) -> list[TrialSpec]:
    return [
        spec_of("confirm", cell.key, trial.number, seed, trial.params)
        for trial in chosen
        for seed in (0, 1)
    ]


FIRST = [spec_of("baseline", "no_adaptation", 0, seed, {}, "no_adaptation") for seed in (0, 1)]
LAST = [spec_of("baseline", "target_supervised", 0, s, {}, "target_supervised") for s in (0, 1)]


def make_queue(cells: int = 2, num_samples: int = NUM_SAMPLES, metric="blind/score") -> WorkQueue:
    works = []
    for number in range(cells):
        depth = f"g{2 * number + 2}"
        spec = SearchSpec(num_samples=num_samples)
        cell = Cell(f"depth={depth}", "dam", Direction("mr", "ct"), {}, {"depth": depth})
        works.append(
            CellWork(
                cell=cell,
                search=CellSearch(cell.key, SPACE, spec, [PUBLISHED]),
                halving=Halving(SchedulerSpec(grace_period=2, reduction_factor=2), STEPS[-1]),
                num_samples=num_samples,
                search_spec=search_spec,
                confirmations=confirmations,
            )
        )
    return WorkQueue(works, FIRST, LAST, metric, top_k=1)


def scores_of(spec: TrialSpec, step: int) -> dict[str, float]:
    rng = random.Random(f"{sorted(spec.params.items())} {spec.seed}")
    best = rng.uniform(-1, 1)
    return {"blind/score": best * step / 8, "blind/entropy": best * step / 8 - 1}


def diverges(spec: TrialSpec) -> bool:
    return spec.kind == "search" and spec.number % 4 == 3


@dataclass
class Simulation:
    """Slots that train side by side; each turn, one of them gets a report further."""

    queue: WorkQueue
    slots: int = 1
    journal: list[Event] = field(default_factory=list)
    running: dict[str, int] = field(default_factory=dict)
    idle_turns: int = 0

    def run(self) -> dict[str, TrialResult]:
        """Go on until the study is done; return its results by key."""
        turn = 0
        while not self.queue.done:
            while len(self.running) < self.slots and (spec := self.queue.next()) is not None:
                if spec.key in self.running:
                    raise AssertionError(f"{spec} was handed out twice")
                self.running[spec.key] = 0
                self.journal.append(Started(spec))
            self.idle_turns += len(self.running) < self.slots
            key = sorted(self.running)[turn % len(self.running)]
            self._advance(key)
            turn += 1
        return self.queue.results

    def _advance(self, key: str) -> None:
        spec = self.queue.specs[key]
        at = self.running[key]
        if diverges(spec) and at == 2:
            return self._end(TrialResult(key, "diverged", STEPS[at], {}, "not finite"))
        step = STEPS[at]
        scores = scores_of(spec, step)
        self.journal.append(Reported(key, step, scores))
        if self.queue.reported(key, step, scores):
            return self._end(TrialResult(key, "pruned", step, scores))
        self.running[key] = at + 1
        if at + 1 == len(STEPS):
            return self._end(TrialResult(key, "complete", step, {**scores, "test/dice": 0.5}))
        return None

    def _end(self, result: TrialResult) -> None:
        del self.running[result.key]
        self.journal.append(Finished(result))
        self.queue.finished(result)
