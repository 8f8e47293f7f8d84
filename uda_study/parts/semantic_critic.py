"""A discriminator of class maps: are they drawn by hand or predicted? (Chen et al., MLMI 2018)."""

from __future__ import annotations

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt
from torch import Tensor, nn

from uda_study.losses.segmentation import one_hot
from uda_study.method import Hyper
from uda_study.nets.patch_discriminator import PatchDiscriminator
from uda_study.parts.cycle import GanLoss, critic_loss, fooling_loss
from uda_study.parts.image_pool import ImagePool
from uda_study.types import Task


class SemanticHyper(Hyper):
    """The semantic loss; ``smoothing`` is the share of a hand-drawn voxel given to all classes."""

    weight: NonNegativeFloat = Field(0.5, description="lambda of eq. 4")
    ramp: NonNegativeInt = Field(0, description="steps over which the weight rises from 0")
    smoothing: float = Field(0.0, ge=0, lt=1)

    def weight_at(self, step: int) -> float:
        """Return the weight at a step, which rises linearly over the ramp.

        >>> [SemanticHyper(ramp=4).weight_at(step) for step in (0, 1, 4, 9)]
        [0.0, 0.125, 0.5, 0.5]
        """
        return self.weight * min(1.0, step / self.ramp) if self.ramp else self.weight


class SemanticCritic(nn.Module):
    """Tells hand-drawn label maps of the source from predictions on translated images."""

    def __init__(
        self,
        discriminator: PatchDiscriminator,
        smoothing: float,
        pool_size: int,
        task: Task,
    ) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.smoothing = smoothing
        self.pool = ImagePool(pool_size, task.num_classes, task.patch_size)

    def critic_loss(self, gan: GanLoss, label: Tensor, maps: Tensor) -> Tensor:
        """Return what the discriminator minimises; labels ``(N, *S)``, maps ``(N, K, *S)``.

        The predicted ones come from a pool, as images do.
        """
        drawn = torch.lerp(
            one_hot(label, maps), torch.full_like(maps, 1 / maps.shape[1]), self.smoothing
        )
        return critic_loss(gan, self.discriminator, drawn, self.pool.swap(maps))

    def fooling(self, gan: GanLoss, maps: Tensor) -> Tensor:
        """Return what the generator minimises: eq. 3 for class probabilities ``(N, K, *S)``."""
        return fooling_loss(gan, self.discriminator(maps))
