"""Discriminators that judge patches of an image (PatchGAN, Isola et al., CVPR 2017)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from uda_study.nets.layers import SLOPE, NormName, draw_normal_, norm

PatchDesign = Literal["patchgan", "wmh"]

_MOST_DOUBLINGS = 3
_FIRST_AND_LAST_KERNEL = 4
_INNER_KERNEL = {"patchgan": 4, "wmh": 3}


class PatchDiscriminator(nn.Module):
    """Maps images ``(N, C, *S)`` to scores ``(N, 1, *S')``, one per overlapping patch, as logits.

    ``layers`` strided convolutions, the first without normalisation, then one of stride 1 that
    doubles the channels once more (up to eight times ``width``) and one that gives the score.
    ``patchgan`` has 4x4 kernels throughout: three layers see 70 voxels, two see 34. ``wmh`` is the
    one of Palladino et al. (2020), with 3x3 kernels inside and a ReLU before the score: three
    layers see 56, and in 3D with two channels and width 64 it has the published 4.69 M parameters.
    ``spectral`` bounds the spectral norm of all layers but the last (Miyato et al., 2018).
    """

    def __init__(
        self,
        dims: int,
        channels: int,
        *,
        width: int = 64,
        layers: int = 3,
        norm_name: NormName = "instance",
        design: PatchDesign = "patchgan",
        spectral: bool = False,
    ) -> None:
        super().__init__()
        kind = nn.Conv2d if dims == 2 else nn.Conv3d
        widths = [width * 2 ** min(number, _MOST_DOUBLINGS) for number in range(layers + 1)]
        modules: list[nn.Module] = []
        before = channels
        for number, (kernel, after) in enumerate(
            zip(kernels(layers, design), widths, strict=False)
        ):
            named: NormName = norm_name if number > 0 else "none"
            stride = 2 if number < layers else 1
            modules.append(kind(before, after, kernel, stride, padding=1, bias=named == "none"))
            modules += norm(named, dims, after, affine=False)
            rectified = design == "wmh" and number == layers
            modules.append(nn.ReLU(True) if rectified else nn.LeakyReLU(SLOPE, inplace=True))
            before = after
        modules.append(kind(before, 1, _FIRST_AND_LAST_KERNEL, padding=1))
        self.layers = nn.Sequential(*modules)
        draw_normal_(self, 0.02)
        if spectral:
            for module in modules[:-1]:
                if isinstance(module, nn.Conv2d | nn.Conv3d):
                    spectral_norm(module)

    def forward(self, image: Tensor) -> Tensor:
        """Return the scores; higher means real."""
        scores: Tensor = self.layers(image)
        return scores


def kernels(layers: int, design: PatchDesign) -> list[int]:
    """Return the kernel sizes of all convolutions, from the image to the score."""
    return [_FIRST_AND_LAST_KERNEL, *[_INNER_KERNEL[design]] * layers, _FIRST_AND_LAST_KERNEL]


def receptive_field(layers: int, design: PatchDesign = "patchgan") -> int:
    """Return how many voxels a score depends on, along each dimension.

    >>> receptive_field(3), receptive_field(2), receptive_field(3, "wmh")
    (70, 34, 56)
    """
    seen = 1
    for number, kernel in reversed(list(enumerate(kernels(layers, design)))):
        stride = 2 if number < layers else 1
        seen = (seen - 1) * stride + kernel
    return seen


def score_size(size: tuple[int, ...], layers: int, design: PatchDesign) -> tuple[int, ...]:
    """Return the size of the score map of an image of ``size``; an entry below 1: too small.

    >>> score_size((64, 64), 3, "patchgan"), score_size((16, 16), 4, "patchgan")
    ((6, 6), (-1, -1))
    """
    for number, kernel in enumerate(kernels(layers, design)):
        stride = 2 if number < layers else 1
        size = tuple((length + 2 - kernel) // stride + 1 for length in size)
    return size
