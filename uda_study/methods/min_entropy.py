"""Direct entropy minimisation: MinEnt of Vu et al. (CVPR 2019)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from uda_study.losses.entropy import normalised_entropy
from uda_study.method import Batch, Hyper, Method, Needs, Player, Stage, Trainable, Update
from uda_study.parts.ramp import ramp_up
from uda_study.parts.segmenter_training import (
    SegmenterHyper,
    SegmenterTraining,
    supervised_losses,
)
from uda_study.types import Task


class MinEntropyHyper(Hyper):
    """How much certainty on the target counts; optimiser and schedule are the segmenter's."""

    segmenter: SegmenterHyper = SegmenterHyper()
    entropy_weight: NonNegativeFloat = Field(1e-3, description="lambda_ent of eq. 4")
    ramp: NonNegativeInt = Field(0, description="steps until the weight is full")
    lr: PositiveFloat = 1e-4
    batch_size: PositiveInt = 5
    steps: PositiveInt = 10_000


class MinEntropy(Method[MinEntropyHyper], Trainable):
    """Keeps training on the source's labels and asks for certain predictions on the target.

    Source and target images pass one after the other: batch normalisation, where there is one,
    takes the statistics of one domain at a time, as in the published code.
    """

    Hyper = MinEntropyHyper
    needs = Needs(target="images")
    paper = "MinEnt in Vu et al., ADVENT: adversarial entropy minimization, CVPR 2019"

    def __init__(self, hyper: MinEntropyHyper, task: Task) -> None:
        super().__init__(hyper, task)
        self.segmenter = hyper.segmenter.build(task)
        self.adapted = copy.deepcopy(self.segmenter)
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
        """Return the single player ``segmenter``, as in its first training but for lr and steps."""
        fine = self.hyper.segmenter.model_copy(
            update={"lr": self.hyper.lr, "steps": self.hyper.steps}
        )
        return SegmenterTraining(self.adapted, fine).players()

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Yield one step on eq. 4: the source's supervised loss and the target's entropy."""
        self.adapted.train()
        batch = draw()
        losses = supervised_losses(
            self.adapted(batch.source_image), batch.source_label, self.hyper.segmenter
        )
        weight = self.hyper.entropy_weight * ramp_up(int(self.steps_done), self.hyper.ramp)
        losses["entropy"] = weight * normalised_entropy(self.adapted(batch.target_image))
        yield Update("segmenter", losses)
        self.steps_done += 1

    def segment(self, image: Tensor) -> Tensor:
        """Map target images ``(N, C, *S)`` to logits ``(N, K, *S)``; the caller sets eval mode."""
        logits: Tensor = self.adapted(image)
        return logits

    def segment_source(self, image: Tensor) -> Tensor:
        """Segment with the unadapted source segmenter."""
        logits: Tensor = self.segmenter(image)
        return logits

    def _start_from_source(self) -> None:
        self.adapted.load_state_dict(self.segmenter.state_dict())
        self.steps_done.zero_()
