"""Two generators and two discriminators in a cycle (CycleGAN, Zhu et al., ICCV 2017).

Names go by the toolkit's domains: ``to_source`` gives target images the source's appearance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.optim import Adam

from uda_study.errors import InputError
from uda_study.losses.adversarial import (
    least_squares_critic,
    least_squares_generator,
    log_critic,
    log_generator,
    separation,
)
from uda_study.method import Hyper, Player
from uda_study.nets.generator import Output, ResnetGenerator, Upsampling
from uda_study.nets.layers import NormName
from uda_study.nets.patch_discriminator import PatchDesign, PatchDiscriminator, score_size
from uda_study.parts.image_pool import ImagePool
from uda_study.parts.optimisation import Schedule, constant_then_linear
from uda_study.types import Task

GanLoss = Literal["log", "least_squares"]


class GeneratorHyper(Hyper):
    """A generator; the defaults are those of Palladino et al. (2020)."""

    width: PositiveInt = Field(32, description="channels of the first layer")
    blocks: PositiveInt = Field(9, description="residual blocks")
    norm: Literal["instance", "none"] = "instance"
    upsampling: Upsampling = "resize"
    output: Output = Field("linear", description="activation of the last layer")
    init_gain: PositiveFloat = Field(0.02, description="deviation of the initial weights")

    def build(self, task: Task) -> ResnetGenerator:
        """Return a new generator."""
        return ResnetGenerator(
            task.spatial_dims,
            task.in_channels,
            width=self.width,
            blocks=self.blocks,
            norm_name=self.norm,
            upsampling=self.upsampling,
            output=self.output,
            init_gain=self.init_gain,
        )


class DiscriminatorHyper(Hyper):
    """A discriminator of patches; the defaults are those of Palladino et al. (2020).

    ``layers`` strided ones decide how far it sees: 3 see 56 voxels (``wmh``) or 70 (``patchgan``).
    """

    design: PatchDesign = "wmh"
    width: PositiveInt = Field(64, description="channels of the first layer")
    layers: PositiveInt = Field(3, description="strided layers")
    norm: NormName = "instance"
    spectral: bool = Field(False, description="bound the spectral norm of the layers")

    def build(self, task: Task, channels: int | None = None) -> PatchDiscriminator:
        """Return a new discriminator of images, or of maps with other ``channels``.

        Raises `InputError` if the patch is too small for so many layers.
        """
        smallest = min(score_size(task.patch_size, self.layers, self.design))
        if smallest < 1 or max(task.patch_size) < 2 ** (self.layers + 1):
            raise InputError.of(
                "discriminator.layers",
                f"{self.layers} strided layers leave nothing of a patch",
                "x".join(map(str, task.patch_size)),
                "use fewer layers or larger patches",
            )
        return PatchDiscriminator(
            task.spatial_dims,
            task.in_channels if channels is None else channels,
            width=self.width,
            layers=self.layers,
            norm_name=self.norm,
            design=self.design,
            spectral=self.spectral,
        )


class CycleHyper(Hyper):
    """The losses: adversarial in both directions, cycle consistency, identity.

    ``identity`` is a share of ``weight``, as in the public code.
    """

    gan: GanLoss = "log"
    weight: NonNegativeFloat = Field(10.0, description="weight of the cycle's L1")
    identity: NonNegativeFloat = Field(0.5, description="weight of the identity's L1 / cycle's")
    source_weight: NonNegativeFloat = Field(1.0, description="adversarial, target -> source")
    target_weight: NonNegativeFloat = Field(1.0, description="adversarial, source -> target")
    pool_size: NonNegativeInt = Field(50, description="translated images that are kept")


class GanOptimHyper(Hyper):
    """Adam of all players; its rate is constant for a share of the steps, then linear to 0."""

    lr: PositiveFloat = 2e-4
    beta1: float = Field(0.5, ge=0, lt=1)
    beta2: float = Field(0.999, gt=0, lt=1)
    discriminator_lr: PositiveFloat = Field(1.0, description="its learning rate / generator's")
    constant: float = Field(0.5, ge=0, le=1, description="share of steps before the decay")

    def players(
        self, generators: nn.Module, discriminators: nn.Module, steps: int
    ) -> dict[str, Player]:
        """Return the players ``discriminators`` and ``generators``."""
        factor = constant_then_linear(steps, self.constant)
        players = {}
        for name, module, lr in (
            ("discriminators", discriminators, self.lr * self.discriminator_lr),
            ("generators", generators, self.lr),
        ):
            optimiser = Adam(module.parameters(), lr=lr, betas=(self.beta1, self.beta2), fused=True)
            players[name] = Player(optimiser, Schedule(optimiser, factor))
        return players


@dataclass(frozen=True)
class Pair:
    """A batch of both domains and its translations, all ``(N, C, *S)``.

    ``same_source`` and ``same_target`` went through the generator that should leave them as they
    are; None where there is no identity loss.
    """

    source: Tensor
    target: Tensor
    fake_source: Tensor
    fake_target: Tensor
    same_source: Tensor | None = None
    same_target: Tensor | None = None


class Cycle(nn.Module):
    """The networks of a cycle, alike in both directions, and their losses.

    What two passes of a network have in common is computed in one: all normalisation has to be per
    sample.
    """

    def __init__(
        self,
        generator: GeneratorHyper,
        discriminator: DiscriminatorHyper,
        hyper: CycleHyper,
        task: Task,
    ) -> None:
        super().__init__()
        self.hyper = hyper
        self.generators = nn.ModuleDict(
            {name: generator.build(task) for name in ("to_source", "to_target")}
        )
        self.discriminators = nn.ModuleDict(
            {name: discriminator.build(task) for name in ("of_source", "of_target")}
        )
        self.pools = nn.ModuleDict(
            {
                name: ImagePool(hyper.pool_size, task.in_channels, task.patch_size)
                for name in ("of_source", "of_target")
            }
        )

    def to_source(self, image: Tensor) -> Tensor:
        """Give images ``(N, C, *S)`` the source's appearance."""
        translated: Tensor = self.generators["to_source"](image)
        return translated

    def to_target(self, image: Tensor) -> Tensor:
        """Give images ``(N, C, *S)`` the target's appearance."""
        translated: Tensor = self.generators["to_target"](image)
        return translated

    def pair(self, source: Tensor, target: Tensor) -> Pair:
        """Translate a batch of both domains, with the identity passes if their loss counts."""
        if self.hyper.identity * self.hyper.weight == 0:
            return Pair(source, target, self.to_source(target), self.to_target(source))
        fake_source, same_source = self.to_source(torch.cat([target, source])).split(
            [len(target), len(source)]
        )
        fake_target, same_target = self.to_target(torch.cat([source, target])).split(
            [len(source), len(target)]
        )
        return Pair(source, target, fake_source, fake_target, same_source, same_target)

    def discriminator_losses(self, pair: Pair) -> dict[str, Tensor]:
        """Return what the discriminators minimise: real images against (pooled) fakes."""
        return {
            name: self._critic_loss(name, real, fake)
            for name, real, fake in (
                ("of_source", pair.source, pair.fake_source),
                ("of_target", pair.target, pair.fake_target),
            )
        }

    def generator_losses(self, pair: Pair) -> dict[str, Tensor]:
        """Return what the generators minimise: adversarial, cycle and identity terms, weighted."""
        hyper = self.hyper
        losses = {
            "of_source": hyper.source_weight * self.fooling("of_source", pair.fake_source),
            "of_target": hyper.target_weight * self.fooling("of_target", pair.fake_target),
            "cycle": hyper.weight
            * (
                F.l1_loss(self.to_source(pair.fake_target), pair.source)
                + F.l1_loss(self.to_target(pair.fake_source), pair.target)
            ),
        }
        if pair.same_source is not None and pair.same_target is not None:
            losses["identity"] = (
                hyper.identity
                * hyper.weight
                * (
                    F.l1_loss(pair.same_source, pair.source)
                    + F.l1_loss(pair.same_target, pair.target)
                )
            )
        return losses

    def distance(self, source: Tensor, target: Tensor) -> Tensor:
        """Return how well the discriminator tells source images from translated target ones."""
        judge = self.discriminators["of_source"]
        return separation(judge(source), judge(self.to_source(target)))

    def fooling(self, discriminator: str, fake: Tensor) -> Tensor:
        """Return the generator's adversarial loss on fakes, without its weight."""
        return fooling_loss(self.hyper.gan, self.discriminators[discriminator](fake))

    def _critic_loss(self, name: str, real: Tensor, fake: Tensor) -> Tensor:
        pool = self.pools[name]
        assert isinstance(pool, ImagePool)
        return critic_loss(self.hyper.gan, self.discriminators[name], real, pool.swap(fake))


def critic_loss(gan: GanLoss, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Return what a discriminator minimises, from one pass over real and fake images.

    Half the sum of both terms, as in the public code, so that it learns more slowly.
    """
    scores = discriminator(torch.cat([real, fake.detach().to(real.dtype)]))
    return _CRITIC[gan](scores[: len(real)], scores[len(real) :])


def fooling_loss(gan: GanLoss, scores: Tensor) -> Tensor:
    """Return what a generator minimises, from the discriminator's scores of its images."""
    return _FOOLING[gan](scores)


def _squares(fake: Tensor) -> Tensor:
    # Without the half of Mao et al.: so it stands in CycleGAN (section 4) beside its weights.
    return 2 * least_squares_generator(fake)


_CRITIC = {"log": log_critic, "least_squares": least_squares_critic}
_FOOLING = {"log": log_generator, "least_squares": _squares}
