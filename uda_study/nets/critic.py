"""The domain critic of Dou et al. (IJCAI 2018): it tells which domain features come from.

A critic is an assembly, which puts feature levels and prediction into one image, and a body,
which maps that image to one score per sample. ``shuffle`` is the published critic at the image's
resolution, ``pool`` a compact one on a coarse grid for small images and short trainings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uda_study.nets.layers import (
    ConvLayer,
    NormName,
    ResidualBlock,
    conv,
    crop,
    pixel_shuffle,
)

CriticInput = Literal["shuffle", "pool"]

_GRID = 16
_SHALLOWEST_REPEATED = 3


@dataclass(frozen=True)
class FeatureLevels:
    """What a critic looks at: images of ``size`` voxels, the levels' channels and strides."""

    size: tuple[int, ...]
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    num_classes: int


@dataclass(frozen=True)
class CriticDesign:
    """How a critic is built; ``width`` is the channels of its first stage."""

    input: CriticInput
    width: int
    stages: int
    norm: NormName
    dropout: float


class DomainCritic(nn.Module):
    """Scores features of several levels together with the prediction; higher means source."""

    def __init__(self, design: CriticDesign, levels: FeatureLevels) -> None:
        super().__init__()
        self.assemble: ShuffleInput | PoolInput
        self.body: ResidualBody | CompactBody
        if design.input == "shuffle":
            self.assemble = ShuffleInput(levels)
            self.body = ResidualBody(self.assemble.out_channels, levels.size, design)
        else:
            self.assemble = PoolInput(levels)
            self.body = CompactBody(self.assemble.out_channels, self.assemble.grid, design)

    def forward(self, features: Sequence[Tensor], logits: Tensor) -> Tensor:
        """Map features ``(N, C_l, *S_l)`` and logits ``(N, K, *S)`` to scores ``(N,)``."""
        scores: Tensor = self.body(self.assemble(features, logits))
        return scores


class ShuffleInput(nn.Module):
    """All levels pixel-shuffled to the image's size, beside the logits and the predicted class.

    A level whose channels are no multiple of stride^dims is filled up with channels of zeros. The
    shallowest level is repeated three times. With width 16, three strides and five classes that
    gives the published 32 channels: 2 x 3 + 4 + 8 + 8 + 5 + 1. The predicted class passes no
    gradient.
    """

    def __init__(self, levels: FeatureLevels) -> None:
        super().__init__()
        dims = len(levels.size)
        self.strides = levels.strides
        self.fine_channels = tuple(
            -(-channels // stride**dims)
            for channels, stride in zip(levels.channels, levels.strides, strict=True)
        )
        repeated = (_SHALLOWEST_REPEATED - 1) * self.fine_channels[0]
        self.out_channels = sum(self.fine_channels) + repeated + levels.num_classes + 1

    def forward(self, features: Sequence[Tensor], logits: Tensor) -> Tensor:
        """Return ``(N, C, *S)``."""
        size = logits.shape[2:]
        fine = []
        levels = zip(features, self.strides, self.fine_channels, strict=True)
        for feature, stride, channels in levels:
            missing = channels * stride ** len(size) - feature.shape[1]
            whole = F.pad(feature, (0, 0) * len(size) + (0, missing)) if missing else feature
            fine.append(crop(pixel_shuffle(whole, stride), size))
        predicted = logits.detach().argmax(1, keepdim=True).to(logits.dtype)
        return torch.cat([fine[0]] * _SHALLOWEST_REPEATED + [*fine[1:], logits, predicted], dim=1)


class PoolInput(nn.Module):
    """All levels averaged to one grid of at most 16 voxels a side, beside 4 x the softmax."""

    def __init__(self, levels: FeatureLevels) -> None:
        super().__init__()
        self.grid = tuple(min(_GRID, length) for length in levels.size)
        self.out_channels = sum(levels.channels) + levels.num_classes

    def forward(self, features: Sequence[Tensor], logits: Tensor) -> Tensor:
        """Return ``(N, C, *grid)``."""
        images = [*features, 4 * torch.softmax(logits, dim=1)]
        return torch.cat([_pool(image, self.grid) for image in images], dim=1)


class ResidualBody(nn.Module):
    """The published body: stages of a residual block and a strided convolution, then two more.

    ``width`` 64 and four stages give 64-128-256-512 channels and, from 32 channels of 256x256,
    21.7 M parameters. The second stage's strided convolution is 5x5, as in the published code. A
    convolution that leaves a single voxel is not normalised: that would erase it.
    """

    def __init__(self, in_channels: int, size: tuple[int, ...], design: CriticDesign) -> None:
        super().__init__()
        dims = len(size)
        layers: list[nn.Module] = []
        before, after = in_channels, design.width
        for number in range(design.stages):
            after = design.width * 2**number
            kernel = 5 if number == 1 else 3
            layers.append(ResidualBlock(dims, (before, after), _norm(design, size), design.dropout))
            size = _strided(size, 2)
            strided = conv(dims, (after, after), kernel=kernel, stride=2)
            layers.append(ConvLayer(strided, _norm(design, size), design.dropout))
            before = after
        layers.append(ResidualBlock(dims, (before, after), _norm(design, size), design.dropout))
        for kernel, stride in ((5, 4), (3, 2)):
            size = _strided(size, stride)
            strided = conv(dims, (after, after), kernel=kernel, stride=stride)
            layers.append(ConvLayer(strided, _norm(design, size), design.dropout))
        self.layers = nn.Sequential(*layers)
        self.score = _Score(after, size)
        _use_batch_statistics(self)

    def forward(self, image: Tensor) -> Tensor:
        """Map ``(N, C, *S)`` to scores ``(N,)``."""
        scores: Tensor = self.score(self.layers(image))
        return scores


class CompactBody(nn.Module):
    """A 3x3 convolution, ``stages`` strided ones, the first as wide, and a linear layer."""

    def __init__(self, in_channels: int, size: tuple[int, ...], design: CriticDesign) -> None:
        super().__init__()
        dims = len(size)
        channels = [in_channels, design.width]
        channels += [design.width * 2**number for number in range(design.stages)]
        layers = []
        for number in range(design.stages + 1):
            stride = 1 if number == 0 else 2
            size = _strided(size, stride)
            name = _norm(design, size)
            convolution = conv(
                dims, (channels[number], channels[number + 1]), stride=stride, bias=name == "none"
            )
            layers.append(ConvLayer(convolution, name, design.dropout))
        self.layers = nn.Sequential(*layers)
        self.score = _Score(channels[-1], size)
        _use_batch_statistics(self)

    def forward(self, image: Tensor) -> Tensor:
        """Map ``(N, C, *S)`` to scores ``(N,)``."""
        scores: Tensor = self.score(self.layers(image))
        return scores


class _Score(nn.Module):
    """A linear layer without bias over all voxels; larger images are averaged to the same grid."""

    def __init__(self, channels: int, size: tuple[int, ...]) -> None:
        super().__init__()
        self.size = size
        self.linear = nn.Linear(channels * torch.Size(size).numel(), 1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.linear(_pool(image, self.size).flatten(1))
        return scores.squeeze(1)


def _pool(image: Tensor, size: tuple[int, ...]) -> Tensor:
    """Average ``(N, C, *S)`` to the given size."""
    if image.shape[2:] == size:
        return image
    if all(length % side == 0 for length, side in zip(image.shape[2:], size, strict=True)):
        # The same result as the adaptive pooling below, several times faster.
        window = [length // side for length, side in zip(image.shape[2:], size, strict=True)]
        pooled: Tensor = (F.avg_pool2d if len(size) == 2 else F.avg_pool3d)(image, window)
        return pooled
    if len(size) == 2:
        return F.adaptive_avg_pool2d(image, (size[0], size[1]))
    return F.adaptive_avg_pool3d(image, (size[0], size[1], size[2]))


def _strided(size: tuple[int, ...], stride: int) -> tuple[int, ...]:
    return tuple(-(-length // stride) for length in size)


def _norm(design: CriticDesign, size: tuple[int, ...]) -> NormName:
    return design.norm if max(size) > 1 else "none"


def _use_batch_statistics(body: nn.Module) -> None:
    # As published: the critic always normalises by the batch at hand, in evaluation too.
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None


def clip_weights_(module: nn.Module, limit: float) -> None:
    """Clamp convolutions and linear layers to [-limit, limit], in place, and nothing else.

    Normalisation is left alone, as in the published code: clipping would shrink its scales to 0.
    """
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.Linear):
                for parameter in layer.parameters(recurse=False):
                    parameter.clamp_(-limit, limit)
