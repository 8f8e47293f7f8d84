"""The upper bound: a segmenter trained on labelled target images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from uda_study.method import Hyper, Method, Needs, Stage
from uda_study.parts.segmenter_training import SegmenterHyper, SegmenterTraining
from uda_study.types import Task


class TargetSupervisedHyper(Hyper):
    """The same settings as the source segmenter's, so that the bounds can be compared."""

    segmenter: SegmenterHyper = SegmenterHyper()


class TargetSupervised(Method[TargetSupervisedHyper]):
    """Trains from scratch on the target's labels, which no other arm may read."""

    Hyper = TargetSupervisedHyper
    needs = Needs(target="labels")
    paper = "upper bound, e.g. Seg-CT in Dou et al., IJCAI 2018"

    def __init__(self, hyper: TargetSupervisedHyper, task: Task) -> None:
        super().__init__(hyper, task)
        self.segmenter = hyper.segmenter.build(task)

    def stages(self) -> Sequence[Stage]:
        """Return the training on the target's labels."""
        return [SegmenterTraining(self.segmenter, self.hyper.segmenter, "target").stage()]

    def segment(self, image: Tensor) -> Tensor:
        """Map target images ``(N, C, *S)`` to logits ``(N, K, *S)``; the caller sets eval mode."""
        logits: Tensor = self.segmenter(image)
        return logits
