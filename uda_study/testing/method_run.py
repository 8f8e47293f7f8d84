"""A method in training on random images, with the smallest networks that it allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import BaseModel
from torch import Tensor

from uda_study.method import Batch, Hyper, Method, Stage
from uda_study.training.ranks import Ranks
from uda_study.training.step import Precision, Stepper, begin_stage
from uda_study.types import Task

AnyMethod = type[Method[Any]]
Trace = list[dict[str, float]]

TINY: Mapping[str, Any] = {
    "width": 2,
    "stages": 2,
    "steps": 2,
    "warm_up": 1,
    "batch_size": 2,
    "dropout": 0.0,
    "norm": "instance",
    "blocks": 1,
    "pool_size": 0,
    "name": "dilated_fcn",
}
"""The value of every hyperparameter whose last name is listed and whose type it has."""

STEPS = 2
"""How many training steps a check takes per stage."""

_CLASSES = ("background", "organ", "lesion")


def tiny_hyper(model: type[Hyper]) -> Hyper:
    """Return the hyperparameters with every size in `TINY` made small, and the model's own."""
    values = _tiny_values(model())
    for name, value in model.tiny.items():
        *above, leaf = name.split(".")
        here = values
        for key in above:
            here = here[key]
        here[leaf] = value
    return model.model_validate(values)


def _tiny_values(hyper: BaseModel) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in type(hyper).model_fields:
        value = getattr(hyper, name)
        if isinstance(value, BaseModel):
            values[name] = _tiny_values(value)
        elif name in TINY and isinstance(value, type(TINY[name])):
            values[name] = TINY[name]
        else:
            values[name] = value
    return values


def tiny_task(spatial_dims: int) -> Task:
    """Return a task of one channel and three classes, 32x32 or 24x16x16 voxels of 1 mm."""
    # In 3D no power of two: at an eighth of the size a depth of two voxels makes the bf16
    # weight gradient of oneDNN's 3x3x3 convolution wrong on CPUs (seen with PyTorch 2.13).
    size = (32, 32) if spatial_dims == 2 else (24, 16, 16)
    dims: Literal[2, 3] = 2 if spatial_dims == 2 else 3
    return Task(dims, 1, _CLASSES, size, (1.0,) * spatial_dims)


@dataclass
class RandomDraws:
    """Random batches of a stage: each depends on the seed and how many were drawn before.

    ``part`` is a rank and the number of ranks, who share each batch. What the stage may not read
    is missing: target labels are withheld, and target images are NaN for a stage that reads
    nothing of the target.
    """

    task: Task
    stage: Stage
    samples: int = 2
    seed: int = 0
    part: tuple[int, int] = (0, 1)
    drawn: int = 0

    def __call__(self) -> Batch:
        """Return the next batch."""
        generator = torch.Generator().manual_seed(1000 * self.seed + self.drawn)
        self.drawn += 1
        size = (self.samples, *self.task.patch_size)
        channels = self.task.in_channels
        rank, ranks = self.part
        part = slice(rank * self.samples // ranks, (rank + 1) * self.samples // ranks)
        # Drawn in single precision in any case, so that both precisions see the same images.
        images = torch.randn(2, size[0], channels, *size[1:], generator=generator)
        labels = torch.randint(0, self.task.num_classes, (2, *size), generator=generator)
        target = images[1].to(torch.get_default_dtype()) + 0.5
        if self.stage.target == "none":
            target = torch.full_like(target, torch.nan)
        return Batch(
            source_image=images[0].to(torch.get_default_dtype())[part],
            source_label=labels[0][part],
            target_image=target[part],
            _target_label=labels[1][part] if self.stage.target == "labels" else None,
        )


class Run:
    """A method in training, stage after stage, as the trainer would run it."""

    def __init__(
        self,
        method: AnyMethod,
        spatial_dims: int,
        *,
        seed: int = 0,
        samples: int = 2,
        precision: Precision = "fp32",
        ranks: Ranks | None = None,
        parts: int = 1,
    ) -> None:
        torch.manual_seed(seed)
        self.task = tiny_task(spatial_dims)
        self.method = method(tiny_hyper(method.Hyper), self.task)
        self.seed, self.samples, self.precision = seed, samples, precision
        self.ranks = ranks or Ranks()
        self.parts = parts

    def stages(self) -> Iterator[tuple[Stage, Stepper, RandomDraws]]:
        """Begin each stage in turn."""
        for stage in self.method.stages():
            part = (0, 1) if stage.whole_batch else (self.ranks.rank, self.ranks.size)
            begin_stage(stage, self.seed)
            parts = 1 if stage.whole_batch else self.parts
            stepper = Stepper(
                stage.trainable, stage.name, self.seed, self.precision, self.ranks, parts
            )
            yield stage, stepper, RandomDraws(self.task, stage, self.samples, self.seed, part)

    def train(self) -> Trace:
        """Train all stages for three steps and return the losses of each."""
        trace = []
        for _, stepper, draw in self.stages():
            for _ in range(STEPS):
                losses = stepper.step(draw)
                trace.append({name: float(loss) for name, loss in losses.items()})
        return trace


def weights(method: Method[Any]) -> dict[str, Tensor]:
    """Return a copy of all parameters by name."""
    return {name: value.detach().clone() for name, value in method.named_parameters()}


def state(method: Method[Any]) -> dict[str, Tensor]:
    """Return a copy of all parameters and buffers by name."""
    return {name: value.clone() for name, value in method.state_dict().items()}


def largest_difference(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> float:
    """Return the largest difference of two states with the same names."""
    return max(
        float((value.double() - second[name].double()).abs().max())
        for name, value in first.items()
        if value.numel() > 0
    )
