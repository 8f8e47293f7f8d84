"""Translation of target images with a CycleGAN: Palladino et al., SIPAIM 2020."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from pydantic import PositiveInt
from torch import Tensor

from uda_study.method import Batch, Hyper, Method, Needs, Player, Stage, Trainable, Update
from uda_study.parts.cycle import (
    Cycle,
    CycleHyper,
    DiscriminatorHyper,
    GanOptimHyper,
    GeneratorHyper,
)
from uda_study.parts.segmenter_training import SegmenterHyper, SegmenterTraining
from uda_study.types import Task


class CycleganHyper(Hyper):
    """The published sizes; ``steps`` are 200 epochs of 1000."""

    segmenter: SegmenterHyper = SegmenterHyper(
        name="unet",
        norm="none",
        lr=2e-4,
        schedule="constant",
        weight_decay=0.0,
        class_weights="none",
    )
    generator: GeneratorHyper = GeneratorHyper()
    discriminator: DiscriminatorHyper = DiscriminatorHyper()
    cycle: CycleHyper = CycleHyper()
    optim: GanOptimHyper = GanOptimHyper()
    batch_size: PositiveInt = 1
    steps: PositiveInt = 200_000


class Cyclegan(Method[CycleganHyper], Trainable):
    """Translates target images in a cycle; the source segmenter then segments them."""

    Hyper = CycleganHyper
    needs = Needs(target="images", translation="target->source")
    paper = "Palladino et al., Unsupervised domain adaptation via CycleGAN for WMH, SIPAIM 2020"

    def __init__(self, hyper: CycleganHyper, task: Task) -> None:
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
        """Return ``discriminators`` and ``generators``, each with Adam."""
        cycle = self.cycle
        return self.hyper.optim.players(cycle.generators, cycle.discriminators, self.hyper.steps)

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Yield a step of the discriminators, then one of the generators, as published."""
        self.cycle.train()
        batch = draw()
        pair = self.cycle.pair(batch.source_image, batch.target_image)
        yield Update("discriminators", self.cycle.discriminator_losses(pair))
        yield Update("generators", self.cycle.generator_losses(pair))

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
