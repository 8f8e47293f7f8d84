"""Building blocks of convolutional networks that work alike in 2D and 3D."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NormName = Literal["instance", "batch", "none"]

SLOPE = 0.2
"""The slope of every leaky ReLU."""


def conv(
    dims: int,
    channels: tuple[int, int],
    *,
    kernel: int = 3,
    stride: int = 1,
    dilation: int = 1,
    bias: bool = False,
) -> nn.Conv2d | nn.Conv3d:
    """Return a convolution from ``channels[0]`` to ``channels[1]`` maps.

    Zero padding keeps the size at stride 1 and gives ceil(size / stride) otherwise.
    """
    kind = nn.Conv2d if dims == 2 else nn.Conv3d
    padding = dilation * (kernel // 2)
    return kind(*channels, kernel, stride, padding, dilation, bias=bias)


def edge_conv(dims: int, channels: tuple[int, int], kernel: int) -> nn.Conv2d | nn.Conv3d:
    """Return a convolution without bias that pads by repeating the border's values."""
    kind = nn.Conv2d if dims == 2 else nn.Conv3d
    return kind(*channels, kernel, padding=kernel // 2, bias=False, padding_mode="replicate")


def max_pool(dims: int) -> nn.MaxPool2d | nn.MaxPool3d:
    """Return a max pooling that gives ceil(size / 2)."""
    return nn.MaxPool2d(2, ceil_mode=True) if dims == 2 else nn.MaxPool3d(2, ceil_mode=True)


def norm(kind: NormName, dims: int, channels: int, affine: bool = True) -> list[nn.Module]:
    """Return the normalisation as a list of no or one module.

    Instance normalisation is written as one group per channel, which is faster on a CPU. Batch
    normalisation keeps running statistics with momentum 0.1.
    """
    if kind == "instance":
        return [nn.GroupNorm(channels, channels, affine=affine)]
    if kind == "batch":
        batch_norm = nn.BatchNorm2d if dims == 2 else nn.BatchNorm3d
        return [batch_norm(channels, affine=affine)]
    return []


def dropout(probability: float) -> list[nn.Module]:
    """Return the dropout of single values as a list of no or one module."""
    return [nn.Dropout(probability)] if probability > 0 else []


class ConvLayer(nn.Sequential):
    """Convolution, dropout, normalisation and leaky ReLU, in this order.

    The convolution has a bias only where no normalisation would take it out again.
    """

    def __init__(
        self,
        convolution: nn.Conv2d | nn.Conv3d,
        norm_name: NormName,
        dropout_probability: float = 0.0,
        slope: float | None = SLOPE,
    ) -> None:
        dims = len(convolution.kernel_size)
        layers = [convolution, *dropout(dropout_probability)]
        layers += norm(norm_name, dims, convolution.out_channels)
        if slope is not None:
            layers.append(nn.LeakyReLU(slope, inplace=True))
        super().__init__(*layers)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and an identity that grows by channels of zeros on both sides."""

    def __init__(
        self,
        dims: int,
        channels: tuple[int, int],
        norm_name: NormName,
        dropout_probability: float,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        before, after = channels
        self.first = ConvLayer(
            conv(dims, (before, after), dilation=dilation), norm_name, dropout_probability
        )
        self.second = ConvLayer(
            conv(dims, (after, after), dilation=dilation),
            norm_name,
            dropout_probability,
            slope=None,
        )
        grown = after - before
        self._growth = (0, 0) * dims + (grown // 2, grown - grown // 2)

    def forward(self, image: Tensor) -> Tensor:
        """Map ``(N, C, *S)`` to ``(N, C', *S)``."""
        identity = F.pad(image, self._growth) if any(self._growth) else image
        return F.leaky_relu(identity + self.second(self.first(image)), SLOPE)


def pixel_shuffle(image: Tensor, factor: int) -> Tensor:
    """Rearrange ``(N, C·r^D, *S)`` to ``(N, C, *(r·S))``, for any number D of dimensions.

    >>> pixel_shuffle(torch.arange(8.0).reshape(1, 8, 1, 1, 1), 2).shape
    torch.Size([1, 1, 2, 2, 2])
    """
    size = image.shape[2:]
    dims = len(size)
    if dims == 2:
        return F.pixel_shuffle(image, factor)
    blocks = image.reshape(image.shape[0], -1, *(factor,) * dims, *size)
    order = [axis for i in range(dims) for axis in (2 + dims + i, 2 + i)]
    return blocks.permute(0, 1, *order).reshape(
        image.shape[0], blocks.shape[1], *(factor * n for n in size)
    )


def draw_normal_(module: nn.Module, deviation: float) -> None:
    """Draw convolution and linear weights anew from N(0, deviation^2), in place; biases are 0."""
    for layer in module.modules():
        if isinstance(layer, _WEIGHTED):
            nn.init.normal_(layer.weight, std=deviation)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


_WEIGHTED = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear)


def crop(image: Tensor, size: torch.Size) -> Tensor:
    """Cut ``(N, C, *S)`` down to the first ``size`` voxels of each dimension."""
    for axis, length in enumerate(size, start=2):
        if image.shape[axis] != length:
            image = image.narrow(axis, 0, length)
    return image
