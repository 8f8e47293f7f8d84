"""Supervised transfer learning: the source segmenter is fine-tuned on labelled target images."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from uda_study.method import Hyper, Method, Needs, Stage
from uda_study.parts.segmenter_training import SegmenterHyper, SegmenterTraining
from uda_study.types import Task


class SupervisedTransferHyper(Hyper):
    """How long and how fast the segmenter is fine-tuned; all else is as in its first training."""

    segmenter: SegmenterHyper = SegmenterHyper()
    lr: PositiveFloat = 1e-4
    batch_size: PositiveInt = 5
    steps: PositiveInt = 10_000


class SupervisedTransfer(Method[SupervisedTransferHyper]):
    """Continues the source segmenter's training on the target's labels, with every layer."""

    Hyper = SupervisedTransferHyper
    needs = Needs(target="labels")
    paper = "Seg-CT-STL in Dou et al., IJCAI 2018; T-STL in Chen et al., MLMI 2018"

    def __init__(self, hyper: SupervisedTransferHyper, task: Task) -> None:
        super().__init__(hyper, task)
        self.segmenter = hyper.segmenter.build(task)
        self.adapted = copy.deepcopy(self.segmenter)

    def stages(self) -> Sequence[Stage]:
        """Return the source segmenter's training, shared, and the fine-tuning."""
        hyper = self.hyper
        fine = hyper.segmenter.model_copy(
            update={"lr": hyper.lr, "batch_size": hyper.batch_size, "steps": hyper.steps}
        )
        return [
            SegmenterTraining(self.segmenter, hyper.segmenter).stage(),
            SegmenterTraining(self.adapted, fine, "target").own_stage(
                "fine_tune", target="labels", begin=self._start_from_source
            ),
        ]

    def segment(self, image: Tensor) -> Tensor:
        """Map target images ``(N, C, *S)`` to logits ``(N, K, *S)``; the caller sets eval mode."""
        logits: Tensor = self.adapted(image)
        return logits

    def segment_source(self, image: Tensor) -> Tensor:
        """Segment with the source segmenter before its fine-tuning."""
        logits: Tensor = self.segmenter(image)
        return logits

    def _start_from_source(self) -> None:
        self.adapted.load_state_dict(self.segmenter.state_dict())
