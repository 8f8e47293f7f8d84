"""Self-ensembling with a mean teacher: French et al. (ICLR 2018), Perone et al. (2019)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from uda_study.method import Batch, Hyper, Method, Needs, Player, Stage, Trainable, Update
from uda_study.parts.perturbation import PerturbationHyper, perturb
from uda_study.parts.ramp import ramp_up
from uda_study.parts.segmenter_training import (
    SegmenterHyper,
    SegmenterTraining,
    supervised_losses,
)
from uda_study.types import JSON, Task


class SelfEnsemblingHyper(Hyper):
    """How slowly the teacher follows, and how much agreement with it counts.

    Optimiser and schedule of the student are the segmenter's.
    """

    # Noise belongs to a rank, so two ranks would not do what one process does.
    tiny: ClassVar[Mapping[str, JSON]] = {"perturbation.noise": 0.0, "perturbation.gamma": 1.0}

    segmenter: SegmenterHyper = SegmenterHyper()
    consistency_weight: NonNegativeFloat = 3.0
    ramp: NonNegativeInt = Field(3_000, description="steps until the weight is full")
    decay: float = Field(0.99, ge=0, lt=1, description="alpha of the teacher's moving average")
    perturbation: PerturbationHyper = PerturbationHyper()
    lr: PositiveFloat = 1e-4
    batch_size: PositiveInt = 5
    steps: PositiveInt = 10_000


class SelfEnsembling(Method[SelfEnsemblingHyper], Trainable):
    """A student agrees on target images with a teacher, the moving average of its own weights.

    Both see perturbed images, each its own. The teacher is in training mode, as published: its
    dropout is active, and its batch normalisation takes statistics of the target, which alone it
    sees. Only its weights are averaged.
    """

    Hyper = SelfEnsemblingHyper
    needs = Needs(target="images")
    paper = "French et al., Self-ensembling for visual domain adaptation, ICLR 2018"

    def __init__(self, hyper: SelfEnsemblingHyper, task: Task) -> None:
        super().__init__(hyper, task)
        self.segmenter = hyper.segmenter.build(task)
        self.student = copy.deepcopy(self.segmenter)
        self.teacher = copy.deepcopy(self.segmenter)
        self.steps_done: Tensor
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.int64))

    def stages(self) -> Sequence[Stage]:
        """Return the source segmenter's training, shared, and the adaptation."""
        adapt = Stage(
            name="adapt",
            trainable=self,
            steps=self.hyper.steps,
            batch_size=self.hyper.batch_size,
            target="images",
            begin=self._start_from_source,
            augmentation=self.hyper.segmenter.augmentation,
        )
        return [SegmenterTraining(self.segmenter, self.hyper.segmenter).stage(), adapt]

    def players(self) -> Mapping[str, Player]:
        """Return the single player ``student``; the teacher only follows."""
        fine = self.hyper.segmenter.model_copy(
            update={"lr": self.hyper.lr, "steps": self.hyper.steps}
        )
        return {"student": SegmenterTraining(self.student, fine).players()["segmenter"]}

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Yield one step of the student; the teacher follows once it is taken."""
        hyper = self.hyper
        self.student.train()
        self.teacher.train()
        batch = draw()
        source, seen = (
            perturb(image, hyper.perturbation) for image in (batch.source_image, batch.target_image)
        )
        losses = supervised_losses(self.student(source), batch.source_label, hyper.segmenter)
        with torch.no_grad():
            taught = self.teacher(perturb(batch.target_image, hyper.perturbation))
        weight = hyper.consistency_weight * ramp_up(int(self.steps_done), hyper.ramp)
        losses["consistency"] = weight * _disagreement(self.student(seen), taught)
        yield Update("student", losses)
        self._follow()
        self.steps_done += 1

    def segment(self, image: Tensor) -> Tensor:
        """Map target images ``(N, C, *S)`` to the teacher's logits ``(N, K, *S)``.

        The caller sets eval mode.
        """
        logits: Tensor = self.teacher(image)
        return logits

    def segment_source(self, image: Tensor) -> Tensor:
        """Segment with the unadapted source segmenter."""
        logits: Tensor = self.segmenter(image)
        return logits

    def _start_from_source(self) -> None:
        for network in (self.student, self.teacher):
            network.load_state_dict(self.segmenter.state_dict())
        self.steps_done.zero_()

    @torch.no_grad()
    def _follow(self) -> None:
        pairs = zip(self.teacher.parameters(), self.student.parameters(), strict=True)
        for taught, learned in pairs:
            taught.lerp_(learned, 1 - self.hyper.decay)


def _disagreement(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean squared difference of class probabilities, of logits ``(N, K, *S)``."""
    dtype = torch.promote_types(student.dtype, torch.float32)
    first, second = (torch.softmax(logits.to(dtype), dim=1) for logits in (student, teacher))
    return (first - second).square().mean()
