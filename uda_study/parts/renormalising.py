"""What the translation methods of Ren et al. (TMI 2021) share: a cycle that segments.

Names go by the toolkit's domains. The paper's X, whose images are translated for a segmenter of Y,
is our target, and its Y our source: the paper's G, S and D_Y are ``to_source``'s generator and
segmenter and ``of_source``, its F, Q and D_X ``to_target``'s and ``of_target``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from uda_study.errors import InputError
from uda_study.losses.adversarial import least_squares_generator, separation
from uda_study.method import Hyper, Player, Update
from uda_study.nets.layers import draw_normal_
from uda_study.nets.renorm_generator import (
    BlockOrder,
    ExtractorDesign,
    GeneratorDesign,
    RenormGenerator,
)
from uda_study.nets.segmenter import Segmenter
from uda_study.nets.segmenters import SEGMENTERS, SegmenterName
from uda_study.parts.cycle import DiscriminatorHyper, GanOptimHyper, critic_loss
from uda_study.parts.segmenter_training import SegmenterHyper
from uda_study.types import JSON, Task


class ExtractorHyper(Hyper):
    """How the logits of a segmentation become the embedding that steers the generator."""

    features: PositiveInt = Field(512, description="numbers in the embedding")
    width: PositiveInt = Field(64, description="channels of the first convolution")
    pool: PositiveInt = Field(7, description="side of the grid that is flattened")
    dropout: float = Field(0.5, ge=0, lt=1)
    unit_scale: bool = Field(True, description="scales are 1 + gamma instead of gamma")

    def design(self, task: Task) -> ExtractorDesign:
        """Return the extractor's design for a task."""
        return ExtractorDesign(
            task.num_classes, self.width, self.features, self.pool, self.dropout, self.unit_scale
        )


class TranslatorHyper(Hyper):
    """The residual U-Net that translates."""

    width: PositiveInt = Field(64, description="channels of the first layer")
    stages: int = Field(4, ge=2, description="how often the image is halved")
    order: BlockOrder = "norm_first"
    output: Literal["linear", "tanh"] = Field("linear", description="activation of the last layer")
    init_gain: PositiveFloat = Field(0.02, description="deviation of the initial weights")

    def build(self, task: Task, extractor: ExtractorDesign | None) -> RenormGenerator:
        """Return a new generator; `InputError` if the patch is too small for so many stages."""
        smallest, largest = min(task.patch_size), max(task.patch_size)
        if smallest < 2**self.stages or largest < 2 ** (self.stages + 1):
            raise InputError.of(
                "generator.stages",
                f"{self.stages} stages leave nothing to normalise of a patch",
                "x".join(map(str, task.patch_size)),
                "use fewer stages or larger patches",
            )
        design = GeneratorDesign(self.width, self.stages, self.order, self.output)
        generator = RenormGenerator(task.spatial_dims, task.in_channels, design, extractor)
        draw_normal_(generator, self.init_gain)
        return generator


class JointSegmenterHyper(Hyper):
    """The two segmenters that are trained together with the translation, one per domain."""

    name: SegmenterName = "res_unet"
    width: PositiveInt = SEGMENTERS["res_unet"].default_width
    norm: Literal["instance", "none"] = "instance"
    dropout: float = Field(SEGMENTERS["res_unet"].default_dropout, ge=0, lt=1)
    init_gain: PositiveFloat = Field(0.02, description="deviation of the initial weights")

    def build(self, task: Task) -> Segmenter:
        """Return a new segmenter."""
        segmenter = SegmenterHyper(
            name=self.name, width=self.width, norm=self.norm, dropout=self.dropout
        ).build(task)
        draw_normal_(segmenter, self.init_gain)
        return segmenter


class CycleLossHyper(Hyper):
    """The weights of eq. 5.

    ``class_weights`` are the background's and every structure's, or one for each class. The public
    code has .5 for ``real`` and .05 for ``fake``.
    """

    adversarial: NonNegativeFloat = 1.0
    cycle: NonNegativeFloat = 10.0
    real: PositiveFloat = Field(1.0, description="segmentation of real images")
    fake: NonNegativeFloat = Field(1.0, description="segmentation of translated images")
    class_weights: tuple[NonNegativeFloat, ...] = Field((0.5, 0.5), min_length=2)

    def weights_of(self, task: Task) -> tuple[float, ...]:
        """Return one weight per class; `InputError` for a number that fits no task."""
        given, classes = self.class_weights, task.num_classes
        if len(given) == classes:
            return given
        if len(given) == 2:
            return (given[0], *[given[1]] * (classes - 1))
        raise InputError.of(
            "loss.class_weights",
            f"must be two weights, of background and structures, or {classes}, one per class",
            list(given),
        )


class SegmentedCycleHyper(Hyper):
    """What all methods with a segmented cycle have; defaults are those of Ren et al. (2021)."""

    segmenter: SegmenterHyper = SegmenterHyper(
        name="res_unet",
        batch_size=4,
        lr=2e-4,
        schedule="constant",
        weight_decay=0.0,
        dice_weight=0.0,
        class_weights="none",
    )
    generator: TranslatorHyper = TranslatorHyper()
    joint: JointSegmenterHyper = JointSegmenterHyper()
    discriminator: DiscriminatorHyper = DiscriminatorHyper(
        design="patchgan", layers=2, norm="none", spectral=True
    )
    loss: CycleLossHyper = CycleLossHyper()
    optim: GanOptimHyper = GanOptimHyper(discriminator_lr=0.5, constant=0.0625)
    batch_size: PositiveInt = 4
    steps: PositiveInt = 100_000


class RenormalisingHyper(SegmentedCycleHyper):
    """The same with a generator that the segmentation steers."""

    tiny: ClassVar[Mapping[str, JSON]] = {"embedding.features": 4, "embedding.pool": 1}
    embedding: ExtractorHyper = ExtractorHyper()


@dataclass(frozen=True)
class Labelled:
    """Images ``(N, C, *S)`` and their labels ``(N, *S)``; what is not ``kept`` counts nowhere.

    ``kept`` ``(N, 1, *S)`` is 1 or 0; without it all voxels count.
    """

    image: Tensor
    label: Tensor
    kept: Tensor | None = None

    def only_kept(self, image: Tensor) -> Tensor:
        """Return the image with 0 in place of what is not kept."""
        return image if self.kept is None else image * self.kept


class Translator(nn.Module):
    """A generator and the segmenter of the domain that it translates from."""

    def __init__(self, segmenter: Segmenter, generator: RenormGenerator) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.generator = generator

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the translated images ``(N, C, *S)`` and the images' logits ``(N, K, *S)``."""
        logits: Tensor = self.segmenter(image)
        return self.generator(image, logits), logits


class SegmentedCycle(nn.Module):
    """Two translators and two discriminators: adversarial, cycle and segmentation losses.

    The two translators and their segmenters are one player and have one loss, eq. 5, so that each
    segmentation term trains the segmenter and, on translated images, also the generator.
    """

    def __init__(
        self, hyper: SegmentedCycleHyper, task: Task, extractor: ExtractorDesign | None = None
    ) -> None:
        super().__init__()
        self.hyper = hyper
        self.class_weights = hyper.loss.weights_of(task)
        self.to_source, self.to_target = (
            Translator(hyper.joint.build(task), hyper.generator.build(task, extractor))
            for _ in range(2)
        )
        self.of_source, self.of_target = (hyper.discriminator.build(task) for _ in range(2))

    def players(self) -> Mapping[str, Player]:
        """Return ``discriminators`` and ``generators``, the latter with both segmenters."""
        generators = nn.ModuleList([self.to_source, self.to_target])
        discriminators = nn.ModuleList([self.of_source, self.of_target])
        return self.hyper.optim.players(generators, discriminators, self.hyper.steps)

    def updates(self, source: Labelled, target: Labelled) -> Iterator[Update]:
        """Yield a step of the generators, then one of the discriminators on the same images."""
        self.train()
        # One pass for both of what goes to the target: every normalisation is per sample.
        translated_target, target_logits = self.to_source(target.image)
        images, logits = self.to_target(torch.cat([source.image, translated_target]))
        sizes = [len(source.image), len(target.image)]
        translated_source, back_target = images.split(sizes)
        source_logits, fake_source_logits = logits.split(sizes)
        back_source, fake_target_logits = self.to_source(translated_source)
        fake_source = target.only_kept(translated_target)
        fake_target = source.only_kept(translated_source)
        loss = self.hyper.loss
        yield Update(
            "generators",
            {
                "of_source": loss.adversarial
                * least_squares_generator(self.of_source(fake_source)),
                "of_target": loss.adversarial
                * least_squares_generator(self.of_target(fake_target)),
                "cycle": loss.cycle
                * (
                    F.l1_loss(target.only_kept(back_target), target.image)
                    + F.l1_loss(source.only_kept(back_source), source.image)
                ),
                "real": loss.real
                * (self._entropy(target_logits, target) + self._entropy(source_logits, source)),
                "fake": loss.fake
                * (
                    self._entropy(fake_source_logits, target)
                    + self._entropy(fake_target_logits, source)
                ),
            },
        )
        yield Update(
            "discriminators",
            {
                "of_source": critic_loss(
                    "least_squares", self.of_source, source.image, fake_source
                ),
                "of_target": critic_loss(
                    "least_squares", self.of_target, target.image, fake_target
                ),
            },
        )

    def distance(self, source: Tensor, target: Tensor) -> Tensor:
        """Return how well the discriminator tells source images from translated target ones."""
        return separation(self.of_source(source), self.of_source(self.to_source(target)[0]))

    def _entropy(self, logits: Tensor, truth: Labelled) -> Tensor:
        """Return the mean over voxels of - lambda_c log p_c, c the voxel's class (eq. 3)."""
        loss = F.cross_entropy(logits, truth.label, reduction="none")
        weight = torch.tensor(self.class_weights, dtype=loss.dtype, device=loss.device)
        return truth.only_kept((weight[truth.label] * loss).unsqueeze(1)).mean()
