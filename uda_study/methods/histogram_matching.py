"""Histogram matching to the most similar source image, the baseline of Palladino et al. (2020)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

from pydantic import Field, PositiveInt
from torch import Tensor

from uda_study.method import Batch, Hyper, Method, Needs, Player, Stage, Trainable, Update
from uda_study.parts.histogram_bank import HistogramBank, MatchingHyper
from uda_study.parts.segmenter_training import SegmenterHyper, SegmenterTraining
from uda_study.types import JSON, Task


class HistogramMatchingHyper(Hyper):
    """How many source images there are to choose from, and how one is matched."""

    tiny: ClassVar[Mapping[str, JSON]] = {"images": 3}

    segmenter: SegmenterHyper = SegmenterHyper()
    matching: MatchingHyper = MatchingHyper()
    images: PositiveInt = Field(64, description="slices or patches of the source in the bank")
    batch_size: PositiveInt = Field(8, description="images per step of filling the bank")


class HistogramMatching(Method[HistogramMatchingHyper], Trainable):
    """Matches each target image to a source image, then applies the frozen source segmenter.

    An image is what the network sees, a slice or a patch, and each channel goes by itself.
    """

    Hyper = HistogramMatchingHyper
    needs = Needs(target="images", translation="target->source")
    paper = "HM in Palladino et al., Unsupervised domain adaptation via CycleGAN for WMH, 2020"

    def __init__(self, hyper: HistogramMatchingHyper, task: Task) -> None:
        super().__init__(hyper, task)
        self.segmenter = hyper.segmenter.build(task)
        self.bank = HistogramBank(hyper.images, task.in_channels, hyper.matching)

    def stages(self) -> Sequence[Stage]:
        """Return the source segmenter's training, shared, and the filling of the bank."""
        look = Stage(
            name="bank",
            trainable=self,
            steps=-(-self.hyper.images // self.hyper.batch_size),
            batch_size=self.hyper.batch_size,
            target="images",
            begin=self.bank.clear,
            whole_batch=True,
        )
        return [SegmenterTraining(self.segmenter, self.hyper.segmenter).stage(), look]

    def players(self) -> Mapping[str, Player]:
        """Return no player: nothing is trained."""
        return {}

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Note the source images of one batch; yields nothing."""
        batch = draw()
        self.bank.add(batch.source_image, batch.target_image)
        yield from ()

    def translate(self, image: Tensor) -> Tensor:
        """Give target images ``(N, C, *S)`` the histogram of the nearest source image."""
        return self.bank.match(image)

    def segment(self, image: Tensor) -> Tensor:
        """Map target images ``(N, C, *S)`` to logits ``(N, K, *S)``; the caller sets eval mode."""
        logits: Tensor = self.segmenter(self.translate(image))
        return logits

    def segment_source(self, image: Tensor) -> Tensor:
        """Segment without matching."""
        logits: Tensor = self.segmenter(image)
        return logits
