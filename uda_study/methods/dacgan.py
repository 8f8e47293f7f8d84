"""A segmenter of translated source images: the comparison method of Yang et al. (MICCAI 2019)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

import torch
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
from uda_study.types import JSON, Task


class DacganHyper(Hyper):
    """The public CycleGAN's sizes and losses; ``segmenter`` serves both segmenters."""

    tiny: ClassVar[Mapping[str, JSON]] = {
        "segmenter.name": "dilated_fcn",
        "discriminator.layers": 1,
    }

    segmenter: SegmenterHyper = SegmenterHyper(name="unet")
    generator: GeneratorHyper = GeneratorHyper(width=64, upsampling="transposed")
    discriminator: DiscriminatorHyper = DiscriminatorHyper(design="patchgan")
    cycle: CycleHyper = CycleHyper(gan="least_squares")
    optim: GanOptimHyper = GanOptimHyper()
    batch_size: PositiveInt = 1
    steps: PositiveInt = 100_000


class Dacgan(Method[DacganHyper], Trainable):
    """Gives source images the target's appearance and trains a segmenter on them.

    It then segments target images as they are.
    """

    Hyper = DacganHyper
    needs = Needs(target="images", translation="source->target")
    paper = "Yang et al., Domain adaptation via disentangled representations, MICCAI 2019"

    def __init__(self, hyper: DacganHyper, task: Task) -> None:
        super().__init__(hyper, task)
        self.segmenter = hyper.segmenter.build(task)
        self.cycle = Cycle(hyper.generator, hyper.discriminator, hyper.cycle, task)
        self.target_segmenter = hyper.segmenter.build(task)

    def stages(self) -> Sequence[Stage]:
        """Return source segmenter (shared), translation, and segmenter of translated images."""
        translate = Stage(
            name="translate",
            trainable=self,
            steps=self.hyper.steps,
            batch_size=self.hyper.batch_size,
            target="images",
        )
        training = SegmenterTraining(
            self.target_segmenter, self.hyper.segmenter, examples=self._translated_source
        )
        return [
            SegmenterTraining(self.segmenter, self.hyper.segmenter).stage(),
            translate,
            training.own_stage("target_segmenter", target="none"),
        ]

    def players(self) -> Mapping[str, Player]:
        """Return ``discriminators`` and ``generators``, each with Adam."""
        cycle = self.cycle
        return self.hyper.optim.players(cycle.generators, cycle.discriminators, self.hyper.steps)

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Yield a step of the generators, then one of the discriminators, as CycleGAN does."""
        self.cycle.train()
        batch = draw()
        pair = self.cycle.pair(batch.source_image, batch.target_image)
        yield Update("generators", self.cycle.generator_losses(pair))
        yield Update("discriminators", self.cycle.discriminator_losses(pair))

    def segment(self, image: Tensor) -> Tensor:
        """Map target images ``(N, C, *S)`` to logits ``(N, K, *S)``; the caller sets eval mode."""
        logits: Tensor = self.target_segmenter(image)
        return logits

    def segment_source(self, image: Tensor) -> Tensor:
        """Segment with the segmenter of source images as they are."""
        logits: Tensor = self.segmenter(image)
        return logits

    def restore(self, image: Tensor) -> Tensor:
        """Give source images the target's appearance."""
        return self.cycle.to_target(image)

    def _translated_source(self, batch: Batch) -> tuple[Tensor, Tensor]:
        self.cycle.eval()
        with torch.no_grad():
            translated = self.restore(batch.source_image)
        return translated, batch.source_label
