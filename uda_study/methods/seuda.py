"""Semantic-aware translation of target images: SeUDA of Chen et al. (MLMI 2018)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from uda_study.method import Batch, Method, Needs, Player, Stage, Trainable, Update
from uda_study.parts.cycle import Cycle
from uda_study.parts.segmenter_training import SegmenterTraining
from uda_study.parts.semantic_critic import SemanticCritic, SemanticHyper
from uda_study.parts.seuda_settings import SourceCycleHyper
from uda_study.types import JSON, Task


class SeudaHyper(SourceCycleHyper):
    """The published settings; all three discriminators are built alike."""

    tiny: ClassVar[Mapping[str, JSON]] = {
        "segmenter.name": "dilated_fcn",
        "discriminator.layers": 1,
    }

    semantic: SemanticHyper = SemanticHyper()


class Seuda(Method[SeudaHyper], Trainable):
    """Translates target images so that the frozen source segmenter draws plausible shapes on them.

    A third discriminator tells the source's label maps from the segmenter's predictions on
    translated images. Its gradient passes through the segmenter, which stays as it is and in
    evaluation mode, into the generator.
    """

    Hyper = SeudaHyper
    needs = Needs(target="images", translation="target->source")
    paper = "Chen et al., Semantic-aware GANs for UDA in chest X-ray segmentation, MLMI 2018"

    def __init__(self, hyper: SeudaHyper, task: Task) -> None:
        super().__init__(hyper, task)
        self.segmenter = hyper.segmenter.build(task)
        self.cycle = Cycle(hyper.generator, hyper.discriminator, hyper.cycle, task)
        self.semantic = SemanticCritic(
            hyper.discriminator.build(task, channels=task.num_classes),
            hyper.semantic.smoothing,
            hyper.cycle.pool_size,
            task,
        )
        self.steps_done: Tensor
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.int64))

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
        judges = nn.ModuleList([self.cycle.discriminators, self.semantic.discriminator])
        return self.hyper.optim.players(self.cycle.generators, judges, self.hyper.steps)

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Yield a step of the generators, then one of the discriminators."""
        self.cycle.train()
        self.semantic.train()
        self.segmenter.eval()
        gan, semantic = self.hyper.cycle.gan, self.hyper.semantic
        batch = draw()
        pair = self.cycle.pair(batch.source_image, batch.target_image)
        maps = torch.softmax(self.segmenter(pair.fake_source), dim=1)
        losses = self.cycle.generator_losses(pair)
        weight = semantic.weight_at(int(self.steps_done))
        losses["semantic"] = weight * self.semantic.fooling(gan, maps)
        yield Update("generators", losses)
        judged = self.cycle.discriminator_losses(pair)
        judged["of_maps"] = self.semantic.critic_loss(gan, batch.source_label, maps)
        yield Update("discriminators", judged)
        self.steps_done += 1

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
