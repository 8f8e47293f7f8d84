"""The first steps of a method on a study's own data: enough to show what its weights depend on."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from uda_study import plugins
from uda_study.errors import Diverged, InputError
from uda_study.method import AdaptsSegmenter, Method
from uda_study.study.hyper import flatten_hyper, resolve_hyper
from uda_study.study.trial import TrialSpec
from uda_study.training.blind import BlindScorer
from uda_study.training.ranks import Ranks
from uda_study.training.step import Stepper, begin_stage, derive_seed
from uda_study.training.task_data import Batches, TaskData
from uda_study.types import JSON, Task

STEPS = 2
"""Steps of each stage."""
_IMAGES = 2
_SMALL: Mapping[str, int] = {
    "batch_size": 2, "warm_up": 0, "start": 0, "steps": STEPS, "width": 8, "blocks": 1,
}  # fmt: skip
"""What hyperparameters whose last name is listed are cut down to, where they are larger.

What a training reads does not depend on how wide its networks are.
"""


@dataclass(frozen=True)
class Outcome:
    """What a short training came to: digests of its weights and of its blind scores.

    Equal outcomes have equal ``weights`` and ``blind``. ``frozen`` tells whether segmenting left
    weights and statistics as they were, and answered the same
    again; ``steps`` says how many steps of each stage the time sufficed for.
    """

    weights: str
    blind: Mapping[str, float]
    frozen: bool
    steps: Mapping[str, int]

    @property
    def left_out(self) -> tuple[str, ...]:
        """The stages that did not begin."""
        return tuple(name for name, count in self.steps.items() if count == 0)


def train_shortly(
    trial: TrialSpec,
    data: TaskData,
    seconds: float = math.inf,
    like: Mapping[str, int] | None = None,
) -> Outcome:
    """Train each stage of the trial's method for `STEPS`, or for as many as ``like`` says.

    No step begins after ``seconds`` of the processor. Errors of the method's own are passed on;
    that a loss is not finite is none.
    """
    device = torch.device("cpu")
    plugin: type[Method[Any]] = plugins.load("methods", trial.method, Method)
    torch.manual_seed(derive_seed(trial.seed, "weights"))
    deadline = time.process_time() + seconds
    method = _small(plugin, trial.params, data.task)
    done: dict[str, int] = {}
    for stage in method.stages():
        wanted = min(STEPS, stage.steps) if like is None else like[stage.name]
        done[stage.name] = 0
        if wanted == 0 or time.process_time() > deadline:
            continue
        begin_stage(stage, trial.seed)
        stepper = Stepper(stage.trainable, stage.name, trial.seed)
        batches = Batches(data.sampler(stage, trial.seed), stage, Ranks(), device)
        try:
            while done[stage.name] < wanted and time.process_time() <= deadline:
                done[stage.name] += 1
                stepper.step(batches)
        except Diverged:
            continue  # its weights so far are compared all the same
        finally:
            batches.close()
    weights = digest(method)
    blind = BlindScorer(method, data, device, _IMAGES, trial.seed).scores(None)
    return Outcome(weights, blind, _is_frozen(method, data), done)


def digest(method: Method[Any]) -> str:
    """Return a hash of all weights and statistics, bit by bit."""
    found = hashlib.sha256()
    for name, value in sorted(method.state_dict().items()):
        found.update(name.encode())
        found.update(value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _is_frozen(method: Method[Any], data: TaskData) -> bool:
    """Segment one image, another, and the first again, as for the test."""
    method.eval()
    before = digest(method)
    size = (1, data.task.in_channels, *data.task.patch_size)
    generator = torch.Generator().manual_seed(0)
    first, other = (torch.randn(size, generator=generator) for _ in range(2))
    segments = [method.segment]
    if isinstance(method, AdaptsSegmenter):
        segments.append(method.segment_source)
    same = True
    with torch.inference_mode():
        for segment in segments:
            answers: list[Tensor] = [segment(image) for image in (first, other, first)]
            same = same and torch.equal(answers[0].nan_to_num(), answers[2].nan_to_num())
    return same and digest(method) == before


def _small(plugin: type[Method[Any]], params: Mapping[str, JSON], task: Task) -> Method[Any]:
    """Return the method as the trial has it, small where it allows that."""
    small: dict[str, JSON] = {}
    for name, value in flatten_hyper(resolve_hyper(plugin, params)).items():
        least = _SMALL.get(name.rpartition(".")[2])
        if least is not None and isinstance(value, int) and value > least:
            small[name] = least
    try:
        return plugin(resolve_hyper(plugin, {**params, **small}), task)
    except InputError:
        return plugin(resolve_hyper(plugin, params), task)
