"""The lower bound: a segmenter trained on the source is applied to the target as it is."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from uda_study.method import Hyper, Method, Needs, Stage
from uda_study.parts.segmenter_training import SegmenterHyper, SegmenterTraining
from uda_study.types import Task


class NoAdaptationHyper(Hyper):
    """The source segmenter's settings are all there is."""

    segmenter: SegmenterHyper = SegmenterHyper()


class NoAdaptation(Method[NoAdaptationHyper]):
    """Trains on labelled source images; target images are never seen before the test."""

    Hyper = NoAdaptationHyper
    needs = Needs(target="none")
    paper = "lower bound in all papers, e.g. Seg-CT-noDA in Dou et al., IJCAI 2018"

    def __init__(self, hyper: NoAdaptationHyper, task: Task) -> None:
        super().__init__(hyper, task)
        self.segmenter = hyper.segmenter.build(task)

    def stages(self) -> Sequence[Stage]:
        """Return the training of the source segmenter, shared with other methods."""
        return [SegmenterTraining(self.segmenter, self.hyper.segmenter).stage()]

    def segment(self, image: Tensor) -> Tensor:
        """Map target images ``(N, C, *S)`` to logits ``(N, K, *S)``; the caller sets eval mode."""
        logits: Tensor = self.segmenter(image)
        return logits

    def segment_source(self, image: Tensor) -> Tensor:
        """Segment with the source segmenter, which is the same."""
        return self.segment(image)
