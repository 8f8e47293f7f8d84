"""One trainer for all methods: stages in order, shared ones once, resumable at every report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from uda_study.errors import OutOfMemory
from uda_study.method import Method, Stage
from uda_study.training.checkpoint import CheckpointStore
from uda_study.training.ranks import Ranks
from uda_study.training.reporter import Reporter
from uda_study.training.stage_cache import StageCache, stage_key
from uda_study.training.step import Precision, Stepper, begin_stage
from uda_study.training.task_data import Batches, TaskData
from uda_study.types import JSON

_POINTS_PER_CURVE = 200


@dataclass(frozen=True)
class Settings:
    """What a training needs to know besides method and data.

    ``parts``: in how many a batch is gone through, where it has as many samples.
    """

    seed: int
    report_every: int
    precision: Precision = "fp32"
    parts: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


@dataclass(frozen=True)
class Workplace:
    """Where a training keeps things, with whom it runs and to whom it reports."""

    cache: StageCache
    checkpoints: CheckpointStore
    reporter: Reporter
    ranks: Ranks = field(default_factory=Ranks)


@dataclass
class Record:
    """What happened in a training: loss curves, seconds by stage, and which stages were trained.

    ``curve`` holds rows (stage, step, name, value), ``scores`` the last ones of the own stages,
    ``step`` how many own steps were done.
    """

    curve: list[tuple[str, int, str, float]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    trained_shared: list[str] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    step: int = 0


class Trainer:
    """Trains one method on one task.

    ``score`` is asked on rank 0 at every report of a stage that is the trial's own and once at
    the end; its values go to the reporter with the number of own steps done so far.
    """

    def __init__(
        self,
        method: Method[Any],
        data: TaskData,
        settings: Settings,
        place: Workplace,
        score: Callable[[int], Mapping[str, float]],
    ) -> None:
        self.method = method.to(settings.device)
        self.data = data
        self.settings = settings
        self.place = place
        self.score = score
        self.record = Record()
        self._resume = self._latest()
        if self._resume is not None:
            self.record = Record(**self._resume["record"])
            if not place.ranks.leads:
                self.record.scores = {}

    def train(self) -> Record:
        """Run every stage that is not done yet and return what happened.

        Raises `Diverged` when a loss is not finite.
        """
        stages = self.method.stages()
        first = self._resume["stage"] if self._resume is not None else 0
        own_steps = 0
        for number, stage in enumerate(stages):
            if number >= first:
                if stage.shared is None:
                    self._run(number, stage, own_steps)
                else:
                    self._run_shared(number, stage)
            if stage.shared is None:
                own_steps += stage.steps
        if all(stage.shared is not None for stage in stages):
            self._score(0)
            self.place.reporter.report(0, self.record.scores)
        return self.record

    def shared_facts(self, stage: Stage) -> dict[str, JSON]:
        """Return everything that the weights of a shared stage depend on, but the code."""
        return {
            "stage": stage.name,
            "trainable": type(stage.trainable).__qualname__,
            "shared": dict(stage.shared or {}),
            "steps": stage.steps,
            "batch_size": stage.batch_size,
            "seed": self.settings.seed,
            "precision": self.settings.precision,
            "data": self.data.facts(stage),
        }

    def _run_shared(self, number: int, stage: Stage) -> None:
        facts = self.shared_facts(stage)
        key = stage_key(facts)
        ranks, cache = self.place.ranks, self.place.cache
        if ranks.leads:
            with cache.claim(key):
                known = ranks.agree(key in cache)
                if not known:
                    self._run(number, stage, 0)
                    cache.save(key, stage.trainable, facts)
        else:
            known = ranks.agree(False)
            if not known:
                self._run(number, stage, 0)
        if known:
            cache.load(key, stage.trainable)
        else:
            self.record.trained_shared.append(stage.name)

    def _run(self, number: int, stage: Stage, own_steps: int) -> None:
        settings, ranks = self.settings, self.place.ranks
        resumed = self._take_resume(number)
        if resumed is None:
            begin_stage(stage, settings.seed)
        parts = self._parts(stage)
        stepper = Stepper(
            stage.trainable, stage.name, settings.seed, settings.precision, ranks, parts
        )
        drawn = 0
        if resumed is not None:
            stepper.load_state(resumed["stepper"])
            drawn = resumed["drawn"]
            if stage.shared is None:
                # It may have died between the checkpoint and its report; a repeat does no harm.
                self.place.reporter.report(self.record.step, self.record.scores)
        sharing = Ranks() if stage.whole_batch else ranks
        batches = Batches(
            self.data.sampler(stage, settings.seed), stage, sharing, settings.device, drawn
        )
        every = max(1, stage.steps // _POINTS_PER_CURVE)
        pending: list[tuple[int, dict[str, Tensor]]] = []
        started = time.monotonic() - self.record.seconds.get(stage.name, 0.0)
        try:
            while stepper.index < stage.steps:
                losses = self._step(stepper, batches, stage)
                if stepper.index % every == 0:
                    pending.append((stepper.index, losses))
                if stepper.index % settings.report_every == 0 or stepper.index == stage.steps:
                    stepper.check_finite()
                    self._note(stage, pending)
                    self.record.seconds[stage.name] = time.monotonic() - started
                    if stage.shared is None:
                        self._score(own_steps + stepper.index)
                    self._save(number, stepper, batches.drawn)
                    if stage.shared is None:
                        self.place.reporter.report(self.record.step, self.record.scores)
        finally:
            batches.close()

    def _parts(self, stage: Stage) -> int:
        if stage.whole_batch:
            return 1
        return max(1, min(self.settings.parts, stage.batch_size // self.place.ranks.size))

    def _step(self, stepper: Stepper, batches: Batches, stage: Stage) -> dict[str, Tensor]:
        try:
            return stepper.step(batches)
        except OutOfMemory as error:
            samples = stage.batch_size // self.place.ranks.size
            divisible = not stage.whole_batch and stepper.parts < samples
            raise OutOfMemory(error.where, divisible) from error

    def _note(self, stage: Stage, pending: list[tuple[int, dict[str, Tensor]]]) -> None:
        for step, losses in pending:
            self.record.curve += [(stage.name, step, n, float(v)) for n, v in losses.items()]
        pending.clear()

    def _score(self, step: int) -> None:
        self.record.step = step
        if self.place.ranks.leads:
            self.record.scores = dict(self.score(step))
            self.record.curve += [("own", step, n, v) for n, v in self.record.scores.items()]

    def _save(self, number: int, stepper: Stepper, drawn: int) -> None:
        if not self.place.ranks.leads:
            return
        state = {
            "stage": number,
            "stepper": stepper.state(),
            "drawn": drawn,
            "method": self.method.state_dict(),
            "record": asdict(self.record),
        }
        self.place.checkpoints.save(number * 10**7 + stepper.index, state)

    def _latest(self) -> dict[str, Any] | None:
        state = self.place.checkpoints.load()
        if state is not None:
            self.method.load_state_dict(state["method"])
        return state

    def _take_resume(self, number: int) -> dict[str, Any] | None:
        state, self._resume = self._resume, None
        return state if state is not None and state["stage"] == number else None
