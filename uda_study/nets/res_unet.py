"""The residual U-Net of Ren et al. (IEEE TMI 2021) for segmentation, in 2D and 3D."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uda_study.nets.layers import SLOPE, conv, crop, dropout, norm
from uda_study.nets.segmenter import Segmenter, SegmenterDesign, State

_MULTIPLES = (1, 2, 4, 8, 8, 8, 8)
_KERNEL = 4  # of the convolutions that halve and enlarge


class ResUNet(Segmenter):
    """Seven halvings, each after a residual block, and seven transposed convolutions back.

    Width 64 gives 64-128-256-512-512-512-512 channels; skips are concatenated and the logits have
    no activation. Layers follow the public code, where the first and the last halving are not
    normalised. It mirrors borders inside the residual blocks; here they are zeros, because a
    single voxel cannot be mirrored.

    Sides need not be multiples of 128: odd ones are filled up, and features of a single voxel are
    scaled but not normalised, which would erase them.
    """

    group_ends = (3, 6, 9, 12, 15, 18, 21, 22, 23, 24, 25, 26, 27, 28)
    level_strides = (2, 4, 8, 16, 32, 64, 128, 64, 32, 16, 8, 4, 2, 1)
    erased_side = 1
    default_width = 64
    default_dropout = 0.0

    @classmethod
    def build_groups(cls, design: SegmenterDesign) -> tuple[list[nn.Module], list[int]]:
        """Return seven groups down and seven up, the last of which is the head."""
        down = [multiple * design.width for multiple in _MULTIPLES]
        up = [*down[-2::-1], design.num_classes]
        shapes = pairwise([design.in_channels, *down])
        groups: list[nn.Module] = [
            _Down(design, shape, normalised=number not in (0, len(down) - 1))
            for number, shape in enumerate(shapes)
        ]
        groups.append(_Up(design, (down[-1], up[0]), joins=False))
        groups += [_Up(design, (2 * before, after)) for before, after in pairwise(up[:-1])]
        groups.append(_Up(design, (2 * up[-2], up[-1]), normalised=False))
        return groups, [*down, *up]


class _Down(nn.Module):
    """A residual block and a convolution that halves the size."""

    def __init__(
        self, design: SegmenterDesign, channels: tuple[int, int], normalised: bool
    ) -> None:
        super().__init__()
        before, after = channels
        self.residue = nn.Sequential(
            *_convolve(design, before), nn.ReLU(inplace=True), *_convolve(design, before)
        )
        kind = nn.Conv2d if design.dims == 2 else nn.Conv3d
        bias = design.norm == "none" or not normalised
        self.halve = nn.Sequential(
            kind(before, after, _KERNEL, stride=2, padding=1, bias=bias),
            *(_norm(design, after) if normalised else []),
            nn.LeakyReLU(SLOPE, inplace=True),
        )

    def forward(self, state: State) -> State:
        features = state[-1]
        features = self.residue(features).add_(features)
        odd = [length % 2 for length in features.shape[:1:-1]]
        if any(odd):
            features = F.pad(features, [voxels for end in odd for voxels in (0, end)])
        return *state, self.halve(features)


class _Up(nn.Module):
    """Joins the features with the skip of their size and doubles it."""

    def __init__(
        self,
        design: SegmenterDesign,
        channels: tuple[int, int],
        *,
        joins: bool = True,
        normalised: bool = True,
    ) -> None:
        super().__init__()
        self.joins = joins
        kind = nn.ConvTranspose2d if design.dims == 2 else nn.ConvTranspose3d
        bias = design.norm == "none" or not normalised
        self.enlarge = kind(*channels, _KERNEL, stride=2, padding=1, bias=bias)
        self.norm = nn.Sequential(*(_norm(design, channels[1]) if normalised else []))

    def forward(self, state: State) -> State:
        *below, features = state
        if self.joins:
            features = torch.cat([below.pop(), features], dim=1)
        larger: Tensor = self.enlarge(F.relu(features, inplace=self.joins))
        return *below, self.norm(crop(larger, below[-1].shape[2:]))


class _Norm(nn.Module):
    """A normalisation that only scales and shifts where there is a single voxel."""

    def __init__(self, normalise: nn.Module) -> None:
        super().__init__()
        self.normalise = normalise

    def forward(self, image: Tensor) -> Tensor:
        if image[0, 0].numel() > 1:
            normalised: Tensor = self.normalise(image)
            return normalised
        each_channel = (-1, *(1,) * (image.dim() - 2))
        scale, shift = (parameter.view(each_channel) for parameter in self.normalise.parameters())
        return image * scale + shift


def _norm(design: SegmenterDesign, channels: int) -> list[nn.Module]:
    return [_Norm(layer) for layer in norm(design.norm, design.dims, channels)]


def _convolve(design: SegmenterDesign, channels: int) -> list[nn.Module]:
    return [
        conv(design.dims, (channels, channels), bias=design.norm == "none"),
        *dropout(design.dropout),
        *_norm(design, channels),
    ]
