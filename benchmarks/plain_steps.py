"""Published training steps without thought of speed, to compare a method's step with.

CycleGAN (Zhu et al., ICCV 2017) straight from its equations: every call of a generator or a
discriminator is a pass of its own, and instance normalisation is PyTorch's module. Layers, losses,
pools and optimisers are those that the method's hyperparameters name, so both do the same work.
"""

import random
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam

from uda_study.method import Batch
from uda_study.nets.generator import Upsampling
from uda_study.parts.cycle import CycleHyper, DiscriminatorHyper, GeneratorHyper
from uda_study.types import Task

_CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_NORM = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
_MIRROR = {2: nn.ReflectionPad2d, 3: nn.ReflectionPad3d}


class PlainCycle:
    """Two generators, two discriminators, two pools and two optimisers."""

    def __init__(self, hyper: Any, task: Task) -> None:
        self.hyper: CycleHyper = hyper.cycle
        dims, channels = task.spatial_dims, task.in_channels
        self.to_source, self.to_target = (
            generator(hyper.generator, dims, channels) for _ in range(2)
        )
        self.of_source, self.of_target = (
            discriminator(hyper.discriminator, dims, channels) for _ in range(2)
        )
        self.source_pool, self.target_pool = (Pool(self.hyper.pool_size) for _ in range(2))
        self.generators = nn.ModuleList([self.to_source, self.to_target])
        self.discriminators = nn.ModuleList([self.of_source, self.of_target])
        self.networks = nn.ModuleList([self.generators, self.discriminators])
        betas = (hyper.optim.beta1, hyper.optim.beta2)
        rate = hyper.optim.lr
        self.generator_adam = Adam(self.generators.parameters(), rate, betas)
        rate *= hyper.optim.discriminator_lr
        self.discriminator_adam = Adam(self.discriminators.parameters(), rate, betas)

    def step(self, batch: Batch) -> None:
        """Train on one batch: a step of the generators, then one of the discriminators."""
        source, target = batch.source_image, batch.target_image
        self.discriminators.requires_grad_(False)
        self.generator_adam.zero_grad()
        fake_source, fake_target = self.to_source(target), self.to_target(source)
        loss = self._judge(self.of_source(fake_source), 1.0)
        loss = loss + self._judge(self.of_target(fake_target), 1.0)
        weight = self.hyper.weight
        loss = loss + weight * F.l1_loss(self.to_source(fake_target), source)
        loss = loss + weight * F.l1_loss(self.to_target(fake_source), target)
        if self.hyper.identity * weight > 0:
            weight *= self.hyper.identity
            loss = loss + weight * F.l1_loss(self.to_source(source), source)
            loss = loss + weight * F.l1_loss(self.to_target(target), target)
        loss.backward()
        self.generator_adam.step()
        self.discriminators.requires_grad_(True)
        self.discriminator_adam.zero_grad()
        for judge, real, fake, pool in (
            (self.of_source, source, fake_source, self.source_pool),
            (self.of_target, target, fake_target, self.target_pool),
        ):
            shown = pool.swap(fake.detach())
            loss = 0.5 * (self._judge(judge(real), 1.0) + self._judge(judge(shown), 0.0))
            loss.backward()
        self.discriminator_adam.step()

    def _judge(self, scores: Tensor, truth: float) -> Tensor:
        wanted = torch.full_like(scores, truth)
        if self.hyper.gan == "log":
            return F.binary_cross_entropy_with_logits(scores, wanted)
        return F.mse_loss(scores, wanted)


class Pool:
    """Shows every other image from a history, in the place of which it is kept."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[Tensor] = []

    def swap(self, images: Tensor) -> Tensor:
        """Return as many images as given."""
        shown = []
        for image in images:
            if len(self.images) < self.size:
                self.images.append(image)
                shown.append(image)
            elif self.size and random.random() < 0.5:
                place = random.randrange(self.size)
                shown.append(self.images[place])
                self.images[place] = image
            else:
                shown.append(image)
        return torch.stack(shown)


class _Residual(nn.Module):
    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, image: Tensor) -> Tensor:
        residue: Tensor = self.layers(image)
        return image + residue


def generator(hyper: GeneratorHyper, dims: int, channels: int) -> nn.Module:
    """Return the generator of Johnson et al. that CycleGAN uses."""

    def mirrored(before: int, after: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
        bare = _CONVOLUTION[dims](before, after, kernel, stride, bias=False)
        return [_MIRROR[dims](kernel // 2), bare, _NORM[dims](after)]

    def enlarged(before: int, after: int, upsampling: Upsampling) -> list[nn.Module]:
        if upsampling == "resize":
            return [nn.Upsample(scale_factor=2, mode="nearest"), *mirrored(before, after)]
        enlarge = _TRANSPOSED[dims](before, after, 3, 2, 1, output_padding=1, bias=False)
        return [enlarge, _NORM[dims](after)]

    w1, w2, w4 = (hyper.width * factor for factor in (1, 2, 4))
    layers = [*mirrored(channels, w1, kernel=7), nn.ReLU(True)]
    layers += [
        *mirrored(w1, w2, stride=2),
        nn.ReLU(True),
        *mirrored(w2, w4, stride=2),
        nn.ReLU(True),
    ]
    for _ in range(hyper.blocks):
        layers.append(_Residual(nn.Sequential(*mirrored(w4, w4), nn.ReLU(True), *mirrored(w4, w4))))
    layers += [*enlarged(w4, w2, hyper.upsampling), nn.ReLU(True)]
    layers += [*enlarged(w2, w1, hyper.upsampling), nn.ReLU(True)]
    layers += [_MIRROR[dims](3), _CONVOLUTION[dims](w1, channels, 7)]
    return nn.Sequential(*layers, *([nn.Tanh()] if hyper.output == "tanh" else []))


def discriminator(hyper: DiscriminatorHyper, dims: int, channels: int) -> nn.Module:
    """Return a discriminator of patches."""
    inner = {"patchgan": 4, "wmh": 3}[hyper.design]
    widths = [hyper.width * min(8, 2**number) for number in range(hyper.layers + 1)]
    layers: list[nn.Module] = [
        _CONVOLUTION[dims](channels, widths[0], 4, 2, 1),
        nn.LeakyReLU(0.2, True),
    ]
    for number, (before, after) in enumerate(pairwise(widths), start=1):
        stride = 2 if number < hyper.layers else 1
        layers.append(_CONVOLUTION[dims](before, after, inner, stride, 1, bias=False))
        layers += [_NORM[dims](after), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, _CONVOLUTION[dims](widths[-1], 1, 4, 1, 1))


PLAIN: Mapping[str, Callable[[Any, Task], PlainCycle]] = {
    "cyclegan": PlainCycle,
    "cyuda": PlainCycle,
}
"""The methods whose own stage is this very step."""
