"""Autoencoders that take an image apart into content and style (Huang et al., ECCV 2018).

Yang et al. (MICCAI 2019) use one per domain: the content is a map that keeps the anatomy, the style
a short vector that becomes the scales and shifts of adaptive instance normalisation (AdaIN). These
are handed on as arguments: a decoder remembers no style.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uda_study.nets.layers import NormName, norm

OutputName = Literal["tanh", "linear"]

STRIDE = 4
"""How many times smaller than the image the content is."""

SMALLEST_SIDE = 16
"""The shortest side of an image that the style encoder can take, in voxels."""

_LAYERS_PER_BLOCK = 2


@dataclass(frozen=True)
class AutoencoderDesign:
    """How an autoencoder is built; ``width`` is the channels of its first layer.

    ``blocks`` counts the residual blocks of the content encoder and, as many, of the decoder.
    ``norm`` is the content encoder's.
    """

    width: int = 64
    blocks: int = 4
    style_size: int = 8
    norm: NormName = "instance"
    output: OutputName = "tanh"

    @property
    def content_channels(self) -> int:
        """How many channels the content has."""
        return 4 * self.width


class Code(NamedTuple):
    """An image taken apart: content ``(N, C', *S/4)`` and style ``(N, Z)``."""

    content: Tensor
    style: Tensor


class DomainAutoencoder(nn.Module):
    """The content encoder, the style encoder and the decoder of one domain."""

    def __init__(self, dims: int, channels: int, design: AutoencoderDesign) -> None:
        super().__init__()
        self.content = ContentEncoder(dims, channels, design)
        self.style = StyleEncoder(dims, channels, design)
        self.decoder = StyleDecoder(dims, channels, design)

    def encode(self, image: Tensor) -> Code:
        """Take images ``(N, C, *S)`` apart."""
        return Code(self.content(image), self.style(image))


class ContentEncoder(nn.Module):
    """A 7x7 convolution, two 4x4 ones of stride 2, and residual blocks, all normalised.

    Instance normalisation has no parameters of its own, as in the public code of Huang et al.
    """

    def __init__(self, dims: int, channels: int, design: AutoencoderDesign) -> None:
        super().__init__()
        widths = [design.width, 2 * design.width, 4 * design.width]
        layers = _layer(dims, (channels, widths[0]), design.norm, kernel=7)
        for pair in pairwise(widths):
            layers += _layer(dims, pair, design.norm, kernel=4, stride=2)
        layers += [_ContentBlock(dims, widths[-1], design.norm) for _ in range(design.blocks)]
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """Map ``(N, C, *S)`` to ``(N, 4·width, *S/4)``."""
        content: Tensor = self.layers(image)
        return content


class StyleEncoder(nn.Module):
    """Convolutions to a sixteenth of the size, their mean over the image, and a linear layer.

    Nothing is normalised: that would take out the mean and spread, which are style.
    """

    def __init__(self, dims: int, channels: int, design: AutoencoderDesign) -> None:
        super().__init__()
        width = design.width
        widths = [width, 2 * width, 4 * width, 4 * width, 4 * width]
        layers = _layer(dims, (channels, width), "none", kernel=7)
        for pair in pairwise(widths):
            layers += _layer(dims, pair, "none", kernel=4, stride=2)
        self.layers = nn.Sequential(*layers)
        self.linear = nn.Linear(widths[-1], design.style_size)

    def forward(self, image: Tensor) -> Tensor:
        """Map ``(N, C, *S)`` to styles ``(N, Z)``."""
        style: Tensor = self.linear(self.layers(image).flatten(2).mean(2))
        return style


class StyleDecoder(nn.Module):
    """AdaIN residual blocks, two enlargements with a 5x5 convolution, and a 7x7 one.

    The enlargements are normalised over each sample as a whole, so that the style's scales and
    shifts are not taken out again.
    """

    def __init__(self, dims: int, channels: int, design: AutoencoderDesign) -> None:
        super().__init__()
        bottom = design.content_channels
        self.affine_shape = (_LAYERS_PER_BLOCK * design.blocks, 2, bottom)
        self.mlp = nn.Sequential(
            nn.Linear(design.style_size, bottom),
            nn.ReLU(inplace=True),
            nn.Linear(bottom, bottom),
            nn.ReLU(inplace=True),
            nn.Linear(bottom, torch.Size(self.affine_shape).numel()),
        )
        self.blocks = nn.ModuleList(_AdaptiveBlock(dims, bottom) for _ in range(design.blocks))
        layers: list[nn.Module] = []
        for before, after in pairwise([bottom, 2 * design.width, design.width]):
            layers += [
                nn.Upsample(scale_factor=2, mode="nearest"),
                reflect_conv(dims, (before, after), kernel=5),
                nn.GroupNorm(1, after),
                nn.ReLU(inplace=True),
            ]
        layers.append(reflect_conv(dims, (design.width, channels), kernel=7, bias=True))
        if design.output == "tanh":
            layers.append(nn.Tanh())
        self.enlarge = nn.Sequential(*layers)

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Paint contents ``(N, C', *S/4)`` in styles ``(N, Z)``: images ``(N, C, *S)``."""
        return self.paint(content, self.affine(style))

    def affine(self, style: Tensor) -> Tensor:
        """Map styles ``(N, Z)`` to scale and shift of every AdaIN layer, ``(N, L, 2, C')``."""
        affine: Tensor = self.mlp(style)
        return affine.view(-1, *self.affine_shape)

    def content_only(self, content: Tensor) -> Tensor:
        """Paint contents with scale 1 and shift 0 in place of a style."""
        identity = content.new_tensor([1.0, 0.0]).view(1, 1, 2, 1)
        return self.paint(content, identity.expand(len(content), *self.affine_shape))

    def paint(self, content: Tensor, affine: Tensor) -> Tensor:
        """Paint contents with the scales and shifts ``(N, L, 2, C')``."""
        features = content
        for block, own in zip(self.blocks, affine.split(_LAYERS_PER_BLOCK, dim=1), strict=True):
            features = block(features, own)
        image: Tensor = self.enlarge(features)
        return image


class _ContentBlock(nn.Module):
    def __init__(self, dims: int, channels: int, norm_name: NormName) -> None:
        super().__init__()
        first, second = (
            _layer(dims, (channels, channels), norm_name, kernel=3)
            for _ in range(_LAYERS_PER_BLOCK)
        )
        self.layers = nn.Sequential(*first, *second[:-1])

    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = features + self.layers(features)
        return changed


class _AdaptiveBlock(nn.Module):
    def __init__(self, dims: int, channels: int) -> None:
        super().__init__()
        self.first = reflect_conv(dims, (channels, channels), kernel=3)
        self.second = reflect_conv(dims, (channels, channels), kernel=3)

    def forward(self, features: Tensor, affine: Tensor) -> Tensor:
        first, second = affine.unbind(1)
        hidden = F.relu(adaptive_norm(self.first(features), first))
        return features + adaptive_norm(self.second(hidden), second)


def _layer(
    dims: int, channels: tuple[int, int], norm_name: NormName, *, kernel: int, stride: int = 1
) -> list[nn.Module]:
    bias = norm_name == "none"
    return [
        reflect_conv(dims, channels, kernel=kernel, stride=stride, bias=bias),
        *norm(norm_name, dims, channels[1], affine=norm_name == "batch"),
        nn.ReLU(inplace=True),
    ]


def adaptive_norm(features: Tensor, affine: Tensor) -> Tensor:
    """Normalise each map ``(N, C', *S)`` and give it the scale and shift ``(N, 2, C')``."""
    scale, shift = (
        part.reshape(*part.shape, *(1 for _ in features.shape[2:])) for part in affine.unbind(1)
    )
    return scale * F.group_norm(features, features.shape[1]) + shift


def reflect_conv(
    dims: int, channels: tuple[int, int], *, kernel: int, stride: int = 1, bias: bool = False
) -> nn.Conv2d | nn.Conv3d:
    """Return a convolution whose border mirrors the image; it gives floor(size / stride)."""
    kind = nn.Conv2d if dims == 2 else nn.Conv3d
    padding = (kernel - 1) // 2
    return kind(*channels, kernel, stride, padding, bias=bias, padding_mode="reflect")
