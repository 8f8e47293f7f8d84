"""The generator of CycleGAN (Zhu et al., ICCV 2017) as Palladino et al. (2020) use it in 3D."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from uda_study.nets.layers import NormName, crop, draw_normal_, norm

Upsampling = Literal["resize", "transposed"]
Output = Literal["linear", "tanh"]


class ResnetGenerator(nn.Module):
    """Maps images ``(N, C, *S)`` to images of the same shape.

    A 7x7 convolution, two of stride 2 that double the channels, ``blocks`` residual blocks and the
    way back. ``upsampling: resize`` repeats voxels before a convolution, which leaves no
    checkerboard (Odena et al., 2016); ``transposed`` is the original. Borders are mirrored. Width
    32, 9 blocks and two channels in 3D give the published 8.56 M parameters. Weights start from
    N(0, ``init_gain``^2). Normalisation has no parameters of its own, as in the public code.
    """

    def __init__(
        self,
        dims: int,
        channels: int,
        *,
        width: int = 32,
        blocks: int = 9,
        norm_name: NormName = "instance",
        upsampling: Upsampling = "resize",
        output: Output = "linear",
        init_gain: float = 0.02,
    ) -> None:
        super().__init__()
        inner = 4 * width
        layers = [
            *_layer(dims, (channels, width), norm_name, kernel=7),
            *_layer(dims, (width, 2 * width), norm_name, stride=2),
            *_layer(dims, (2 * width, inner), norm_name, stride=2),
            *(_Residual(dims, inner, norm_name) for _ in range(blocks)),
            *_enlarge(dims, (inner, 2 * width), norm_name, upsampling),
            *_enlarge(dims, (2 * width, width), norm_name, upsampling),
            _conv(dims, (width, channels), kernel=7, bias=True),
        ]
        if output == "tanh":
            layers.append(nn.Tanh())
        self.layers = nn.Sequential(*layers)
        draw_normal_(self, init_gain)

    def forward(self, image: Tensor) -> Tensor:
        """Return the translated images; sizes that are no multiple of 4 are kept, too."""
        return crop(self.layers(image), image.shape[2:])


class _Residual(nn.Module):
    def __init__(self, dims: int, channels: int, norm_name: NormName) -> None:
        super().__init__()
        shape = (channels, channels)
        self.layers = nn.Sequential(
            *_layer(dims, shape, norm_name), *_layer(dims, shape, norm_name)[:-1]
        )

    def forward(self, image: Tensor) -> Tensor:
        residue: Tensor = self.layers(image)
        return image + residue


def _conv(
    dims: int, channels: tuple[int, int], *, kernel: int = 3, stride: int = 1, bias: bool
) -> nn.Module:
    kind = nn.Conv2d if dims == 2 else nn.Conv3d
    return kind(*channels, kernel, stride, padding=kernel // 2, padding_mode="reflect", bias=bias)


def _layer(
    dims: int, channels: tuple[int, int], norm_name: NormName, *, kernel: int = 3, stride: int = 1
) -> list[nn.Module]:
    bias = norm_name == "none"
    return [
        _conv(dims, channels, kernel=kernel, stride=stride, bias=bias),
        *norm(norm_name, dims, channels[1], affine=False),
        nn.ReLU(inplace=True),
    ]


def _enlarge(
    dims: int, channels: tuple[int, int], norm_name: NormName, upsampling: Upsampling
) -> list[nn.Module]:
    if upsampling == "resize":
        return [nn.Upsample(scale_factor=2, mode="nearest"), *_layer(dims, channels, norm_name)]
    kind = nn.ConvTranspose2d if dims == 2 else nn.ConvTranspose3d
    bias = norm_name == "none"
    transposed = kind(*channels, 3, stride=2, padding=1, output_padding=1, bias=bias)
    return [
        transposed,
        *norm(norm_name, dims, channels[1], affine=False),
        nn.ReLU(inplace=True),
    ]
