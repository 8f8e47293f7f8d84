"""The contract that a UDA method implements.

A method reads like its paper. Its training is a sequence of stages; each stage is a `Trainable`
whose `updates` is a generator: every ``yield`` is one optimiser step, and the code after the
yield runs once that step has been applied. The trainer does the rest, once for all methods:
zeroing and computing the player's gradients, averaging them over the ranks, clipping, mixed
precision, schedules, checkpoints and the detection of losses that are not finite.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Literal, Protocol, TypeVar, runtime_checkable

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from uda_study.errors import LabelsWithheld, Problem
from uda_study.types import JSON, Supervision, Task, Translation

SourceAugmentation = Literal["study", "none", "gamma", "affine", "nnunet", "nnunet_mirror"]
"""What source images are augmented with: what the study file says, or a preset of its own."""


class Hyper(BaseModel):
    """Typed hyperparameters; nested models give dotted names such as ``critic.steps``.

    ``tiny`` is for the contract suite: values, by dotted name, of the smallest networks that the
    method allows, beside those that `uda_study.testing.method_run.TINY` makes small by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    tiny: ClassVar[Mapping[str, JSON]] = {}


@dataclass(frozen=True)
class Batch:
    """What one draw holds; images are ``(N, C, *S)`` float, labels ``(N, *S)`` int64.

    A target label that the stage has no right to read is absent, and asking for it raises.
    """

    source_image: Tensor
    source_label: Tensor
    target_image: Tensor
    _target_label: Tensor | None = field(default=None, repr=False)

    @property
    def target_label(self) -> Tensor:
        """The target's labels; raises `LabelsWithheld` where the stage may not read them."""
        if self._target_label is None:
            raise LabelsWithheld(
                [
                    Problem(
                        "batch.target_label",
                        "this stage may not read target labels",
                        remedy="declare target='labels' in the stage and the method's needs",
                    )
                ]
            )
        return self._target_label

    def to(self, device: torch.device) -> Batch:
        """Return the batch on the device, copied from pinned memory where that is faster."""
        if device.type == "cpu":
            return self
        return Batch(
            self.source_image.pin_memory().to(device, non_blocking=True),
            self.source_label.pin_memory().to(device, non_blocking=True),
            self.target_image.pin_memory().to(device, non_blocking=True),
            None
            if self._target_label is None
            else self._target_label.pin_memory().to(device, non_blocking=True),
        )


@dataclass(frozen=True)
class Update:
    """One optimiser step of one player on the sum of the named scalar losses."""

    player: str
    losses: Mapping[str, Tensor]


@dataclass(frozen=True)
class Player:
    """An optimiser, with its schedule (stepped once per step of the stage) and gradient norm."""

    optimiser: Optimizer
    schedule: LRScheduler | None = None
    clip_norm: float | None = None


class Trainable(nn.Module, ABC):
    """Networks that are trained together, and how.

    A trainable without players only looks: it keeps what it finds out in buffers.
    """

    @abstractmethod
    def players(self) -> Mapping[str, Player]:
        """Return new optimisers, keyed by player; called once, when the stage starts."""

    @abstractmethod
    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Yield the optimiser steps of one training step, in an order that no data can change.

        ``draw()`` returns a fresh batch each time it is called. Set train/eval modes here.

        Where a GPU does not hold a batch, several of these generators move on together, each with
        a part of it, and what they change between two yields is changed once. For that every loss
        is a mean over samples, and all state is in the parameters and buffers of this module;
        see `uda_study.training.accumulation`. A module that gathers samples is a `Forgets`.
        """


@dataclass(frozen=True)
class Stage:
    """A part of a method's training: which networks, for how long, and what they may read.

    ``shared`` holds everything that the result depends on besides task, data, seed and code; such
    a stage is trained once and its weights are reused by every trial and method that asks for the
    same. ``begin`` runs once before the first step (and not again on resume), with a seed that
    depends on the training's seed and the stage alone; a shared stage draws its weights there.
    ``whole_batch``: every rank draws the whole batch, for statistics that have no gradient.
    ``augmentation`` is for the supervised training of a segmenter on the source; a stage in which
    the domains are compared or translated sees the source as it is.
    """

    name: str
    trainable: Trainable
    steps: int
    batch_size: int
    target: Supervision
    shared: Mapping[str, JSON] | None = None
    begin: Callable[[], None] | None = None
    whole_batch: bool = False
    augmentation: SourceAugmentation = "none"


@dataclass(frozen=True)
class Needs:
    """What a method asks of the study, and where it can be compared.

    ``target`` is what training reads of the target domain; methods of different supervision stand
    in separate tables. ``spatial_dims`` lists the dimensions that it supports.
    """

    target: Supervision
    translation: Translation = "none"
    spatial_dims: tuple[int, ...] = (2, 3)


H = TypeVar("H", bound=Hyper)


class Method(nn.Module, ABC, Generic[H]):
    """A UDA method or a baseline; the file name in ``methods/`` is the key used in YAML.

    The constructor builds all networks and must not read data. All weights that `segment` uses
    are in the module's state dict.
    """

    Hyper: ClassVar[type[Hyper]]
    needs: ClassVar[Needs]
    paper: ClassVar[str]

    def __init__(self, hyper: H, task: Task) -> None:
        super().__init__()
        self.hyper = hyper
        self.task = task

    @abstractmethod
    def stages(self) -> Sequence[Stage]:
        """Return the stages in the order in which they are trained; at least one."""

    @abstractmethod
    def segment(self, image: Tensor) -> Tensor:
        """Map target images ``(N, C, *S)`` to class logits ``(N, K, *S)``, in eval mode."""


@runtime_checkable
class Translates(Protocol):
    """An image-space method: it maps target images ``(N, C, *S)`` to the source's appearance."""

    def translate(self, image: Tensor) -> Tensor:
        """Return the translated images, same shape."""


@runtime_checkable
class Restores(Protocol):
    """A method that also maps images of the source's appearance to the target's."""

    def restore(self, image: Tensor) -> Tensor:
        """Return images ``(N, C, *S)`` in the target's appearance, same shape."""


@runtime_checkable
class RendersStyles(Protocol):
    """A method that gives one anatomy many appearances of the target."""

    def encode_style(self, image: Tensor) -> Tensor:
        """Return the styles ``(N, Z)`` of target images ``(N, C, *S)``."""

    def sample_styles(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw styles ``(count, Z)`` where the target's lie; the generator is on the CPU."""

    def render(self, image: Tensor, style: Tensor) -> Tensor:
        """Return source images ``(N, C, *S)`` in target styles ``(N, Z)``, same shape."""


@runtime_checkable
class Forgets(Protocol):
    """A module that keeps training images, which must not travel with a trained model."""

    def forget(self) -> None:
        """Erase them."""


@runtime_checkable
class Criticises(Protocol):
    """A method whose critic estimates how far the adapted target is from the source."""

    def critic_distance(self, batch: Batch) -> Tensor:
        """Return the scalar distance on the batch (lower: domains are closer)."""


@runtime_checkable
class AdaptsSegmenter(Protocol):
    """A method that starts from a segmenter trained on the source alone."""

    def segment_source(self, image: Tensor) -> Tensor:
        """Segment with the unadapted source segmenter: ``(N, C, *S)`` to logits ``(N, K, *S)``."""
