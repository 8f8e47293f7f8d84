"""The U-Net of Palladino et al. (CycleGAN for white matter hyperintensities), in 2D and 3D."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from uda_study.nets.layers import conv, crop, max_pool
from uda_study.nets.segmenter import Layers, Segmenter, SegmenterDesign, State

_RELU = 0.0


class UNet(Segmenter):
    """Four encoding blocks, two convolutions at the bottom, four decoding blocks with sum skips.

    Width 32 gives the published 32-64-128-256 channels and, in 3D with two input channels, two
    classes and no normalisation, the published 12.6 M parameters. The published network has no
    normalisation; convolutions are counted with the transposed ones.
    """

    group_ends = (2, 4, 6, 8, 10, 13, 16, 19, 22, 23)
    level_strides = (2, 4, 8, 16, 16, 8, 4, 2, 1, 1)
    erased_side = 16
    default_width = 32
    default_dropout = 0.0

    @classmethod
    def build_groups(cls, design: SegmenterDesign) -> tuple[list[nn.Module], list[int]]:
        """Return encoder, bottom, decoder and head."""
        dims, width = design.dims, design.width

        def block(before: int, after: int) -> nn.Sequential:
            return nn.Sequential(
                design.layer((before, after), slope=_RELU),
                design.layer((after, after), slope=_RELU),
            )

        widths = [width, 2 * width, 4 * width, 8 * width]
        bottom = widths[-1]
        encoder = [
            _Encode(block(*shape), dims) for shape in pairwise([design.in_channels, *widths])
        ]
        decoder = [
            _Decode(_enlarging(dims, before, after), block(after, after))
            for before, after in pairwise([bottom, *widths[::-1]])
        ]
        head = _Head(conv(dims, (width, design.num_classes), kernel=1, bias=True))
        groups = [*encoder, _Bottom(block(bottom, bottom)), *decoder, head]
        return groups, [*widths, bottom, *widths[::-1], design.num_classes]


def _enlarging(dims: int, before: int, after: int) -> nn.Module:
    kind = nn.ConvTranspose2d if dims == 2 else nn.ConvTranspose3d
    return kind(before, after, kernel_size=2, stride=2)


class _Encode(nn.Module):
    def __init__(self, block: nn.Module, dims: int) -> None:
        super().__init__()
        self.block = block
        self.pool = max_pool(dims)

    def forward(self, state: State) -> State:
        *skips, features = state
        skip = self.block(features)
        return *skips, skip, self.pool(skip)


class _Bottom(nn.Module):
    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, state: State) -> State:
        *skips, features = state
        return *skips, self.block(features)


class _Decode(nn.Module):
    def __init__(self, enlarge: nn.Module, block: nn.Module) -> None:
        super().__init__()
        self.enlarge = enlarge
        self.block = block

    def forward(self, state: State) -> State:
        *skips, skip, features = state
        larger: Tensor = self.enlarge(features)
        return *skips, self.block(skip + crop(larger, skip.shape[2:]))


class _Head(Layers):
    def forward(self, state: State) -> State:
        return (self[0](state[-1]),)
