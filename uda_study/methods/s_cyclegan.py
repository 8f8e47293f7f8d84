"""Translation under segmentation losses: Zhang et al., CVPR 2018, as in Ren et al., TMI 2021."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from torch import Tensor

from uda_study.method import Batch, Method, Needs, Player, Stage, Trainable, Update
from uda_study.parts.renormalising import Labelled, SegmentedCycle, SegmentedCycleHyper
from uda_study.parts.segmenter_training import SegmenterTraining
from uda_study.types import Task


class SCyclegan(Method[SegmentedCycleHyper], Trainable):
    """Translates target images in a cycle that has to keep what is segmented.

    A segmenter of either domain, trained along on labels of both, has to find the same structures
    in translated images.
    """

    Hyper = SegmentedCycleHyper
    needs = Needs(target="labels", translation="target->source")
    paper = "Zhang et al., Translating and segmenting multimodal medical volumes, CVPR 2018"

    def __init__(self, hyper: SegmentedCycleHyper, task: Task) -> None:
        super().__init__(hyper, task)
        self.segmenter = hyper.segmenter.build(task)
        self.cycle = SegmentedCycle(hyper, task)

    def stages(self) -> Sequence[Stage]:
        """Return the source segmenter's training, shared, and that of the translation."""
        translate = Stage(
            name="translate",
            trainable=self,
            steps=self.hyper.steps,
            batch_size=self.hyper.batch_size,
            target="labels",
        )
        return [SegmenterTraining(self.segmenter, self.hyper.segmenter).stage(), translate]

    def players(self) -> Mapping[str, Player]:
        """Return ``discriminators`` and ``generators``, each with Adam."""
        return self.cycle.players()

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Yield a step of the generators and segmenters, then one of the discriminators."""
        batch = draw()
        yield from self.cycle.updates(
            Labelled(batch.source_image, batch.source_label),
            Labelled(batch.target_image, batch.target_label),
        )

    def segment(self, image: Tensor) -> Tensor:
        """Translate target images ``(N, C, *S)`` and segment: logits ``(N, K, *S)``."""
        return self.segment_source(self.translate(image))

    def segment_source(self, image: Tensor) -> Tensor:
        """Segment with the source segmenter, without translation."""
        logits: Tensor = self.segmenter(image)
        return logits

    def translate(self, image: Tensor) -> Tensor:
        """Give target images the source's appearance."""
        translated: Tensor = self.cycle.to_source(image)[0]
        return translated

    def restore(self, image: Tensor) -> Tensor:
        """Give source images the target's appearance."""
        restored: Tensor = self.cycle.to_target(image)[0]
        return restored

    def critic_distance(self, batch: Batch) -> Tensor:
        """Return how well the discriminator tells source images from translated ones."""
        return self.cycle.distance(batch.source_image, batch.target_image)
