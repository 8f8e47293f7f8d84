"""Translation of target images in a cycle, SeUDA without its semantic loss (MLMI 2018)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

from torch import Tensor

from uda_study.method import Batch, Method, Needs, Player, Stage, Trainable, Update
from uda_study.parts.cycle import Cycle
from uda_study.parts.segmenter_training import SegmenterTraining
from uda_study.parts.seuda_settings import SourceCycleHyper
from uda_study.types import JSON, Task


class CyudaHyper(SourceCycleHyper):
    """The published settings of SeUDA, of which CyUDA leaves out a loss."""

    tiny: ClassVar[Mapping[str, JSON]] = {
        "segmenter.name": "dilated_fcn",
        "discriminator.layers": 1,
    }


class Cyuda(Method[CyudaHyper], Trainable):
    """Translates target images in a cycle; the comparison that SeUDA improves on."""

    Hyper = CyudaHyper
    needs = Needs(target="images", translation="target->source")
    paper = "Chen et al., Semantic-aware GANs for UDA in chest X-ray segmentation, MLMI 2018"

    def __init__(self, hyper: CyudaHyper, task: Task) -> None:
        super().__init__(hyper, task)
        self.segmenter = hyper.segmenter.build(task)
        self.cycle = Cycle(hyper.generator, hyper.discriminator, hyper.cycle, task)

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
        """Return ``generators`` and ``discriminators``, each with Adam."""
        cycle = self.cycle
        return self.hyper.optim.players(cycle.generators, cycle.discriminators, self.hyper.steps)

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Yield a step of the generators, then one of the discriminators."""
        self.cycle.train()
        batch = draw()
        pair = self.cycle.pair(batch.source_image, batch.target_image)
        yield Update("generators", self.cycle.generator_losses(pair))
        yield Update("discriminators", self.cycle.discriminator_losses(pair))

    def segment(self, image: Tensor) -> Tensor:
        """Translate target images ``(N, C, *S)`` and segment: logits ``(N, K, *S)``."""
        return self.segment_source(self.translate(image))

    def segment_source(self, image: Tensor) -> Tensor:
        """Segment with the source segmenter, without translation."""
        logits: Tensor = self.segmenter(image)
        return logits

    def translate(self, image: Tensor) -> Tensor:
        """Give target images the source's appearance."""
        return self.cycle.to_source(image)

    def restore(self, image: Tensor) -> Tensor:
        """Give source images the target's appearance."""
        return self.cycle.to_target(image)

    def critic_distance(self, batch: Batch) -> Tensor:
        """Return how well the discriminator tells source images from translated ones."""
        return self.cycle.distance(batch.source_image, batch.target_image)
