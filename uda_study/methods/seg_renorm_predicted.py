"""seg_renorm without target labels: the source segmenter's predictions stand in for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from uda_study.method import Batch, Method, Needs, Player, Stage, Trainable, Update
from uda_study.parts.renormalising import Labelled, RenormalisingHyper, SegmentedCycle
from uda_study.parts.segmenter_training import SegmenterTraining
from uda_study.types import Task


class SegRenormPredicted(Method[RenormalisingHyper], Trainable):
    """Translates target images with a generator that their prediction steers.

    A segmenter of either domain, trained along, steers the generator. The label of a target image
    is what the method itself would predict at the moment.
    """

    Hyper = RenormalisingHyper
    needs = Needs(target="images", translation="target->source")
    paper = "a variant without target labels of seg_renorm: Ren et al., IEEE TMI 2021"

    def __init__(self, hyper: RenormalisingHyper, task: Task) -> None:
        super().__init__(hyper, task)
        self.segmenter = hyper.segmenter.build(task)
        self.cycle = SegmentedCycle(hyper, task, hyper.embedding.design(task))

    def stages(self) -> Sequence[Stage]:
        """Return the source segmenter's training, shared, and that of the translation."""
        translate = Stage(
            name="translate",
            trainable=self,
            steps=self.hyper.steps,
            batch_size=self.hyper.batch_size,
            target="images",
        )
        return [SegmenterTraining(self.segmenter, self.hyper.segmenter).stage(), translate]

    def players(self) -> Mapping[str, Player]:
        """Return ``discriminators`` and ``generators``, each with Adam."""
        return self.cycle.players()

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Yield a step of the generators and segmenters, then one of the discriminators."""
        batch = draw()
        # As at the test, without dropout; the cycle's networks go back to training in its updates.
        self.eval()
        with torch.no_grad():
            label = self.segment(batch.target_image).argmax(1)
        yield from self.cycle.updates(
            Labelled(batch.source_image, batch.source_label),
            Labelled(batch.target_image, label),
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
