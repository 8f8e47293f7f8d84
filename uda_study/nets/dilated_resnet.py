"""The dilated residual segmenter of Dou et al. (IJCAI 2018), in 2D and 3D."""

from __future__ import annotations

from torch import nn

from uda_study.nets.layers import (
    ConvLayer,
    ResidualBlock,
    conv,
    crop,
    edge_conv,
    max_pool,
    pixel_shuffle,
)
from uda_study.nets.layers import dropout as dropout_layer
from uda_study.nets.segmenter import Layers, Segmenter, SegmenterDesign, State

_STRIDE = 8


class DilatedResNet(Segmenter):
    """33 convolutions without bias; width 16, 3 channels and 5 classes give 39.3 M parameters.

    Depths 13, 21 and 31 of the paper are the ends of groups 4, 6 and 9. Facts that the paper
    leaves out are those of its public code: the first convolution stands bare, identities grow by
    channels of zeros, features at an eighth of the size are brought back by a pixel shuffle and
    smoothed by a 5x5 convolution. Border values are repeated there (published: mirrored, which
    differs in the outermost voxel of the 5x5 convolution only).
    """

    group_ends = (3, 5, 9, 13, 17, 21, 25, 29, 31, 33)
    level_strides = (2, 4, 8, 8, 8, 8, 8, 8, 8, 1)
    erased_side = _STRIDE
    default_width = 16
    default_dropout = 0.25

    @classmethod
    def build_groups(cls, design: SegmenterDesign) -> tuple[list[nn.Module], list[int]]:
        """Return nine groups and the head."""
        dims, width, dropout = design.dims, design.width, design.dropout

        def residual(before: int, after: int, dilation: int = 1) -> ResidualBlock:
            return ResidualBlock(dims, (before, after), design.norm, dropout, dilation)

        def two(before: int, after: int, dilation: int = 1) -> list[nn.Module]:
            return [residual(before, after, dilation), residual(after, after, dilation)]

        def plain(channels: int) -> ConvLayer:
            return ConvLayer(conv(dims, (channels, channels)), design.norm, dropout)

        w1, w2, w4, w8, w16, w32 = (width * 2**power for power in range(6))
        first = [conv(dims, (design.in_channels, w1)), *dropout_layer(dropout)]
        fine_channels = max(1, width // 2) * design.num_classes
        groups = [
            Layers(*first, residual(w1, w1), max_pool(dims)),
            Layers(residual(w1, w2), max_pool(dims)),
            Layers(*two(w2, w4), max_pool(dims)),
            Layers(*two(w4, w8)),
            Layers(*two(w8, w16)),
            Layers(*two(w16, w16)),
            Layers(*two(w16, w32)),
            Layers(*two(w32, w32, dilation=2)),
            Layers(plain(w32), plain(w32)),
            _Head(design, w32, fine_channels),
        ]
        return groups, [w1, w2, w4, w8, w16, w16, w32, w32, w32, design.num_classes]

    @classmethod
    def critic_levels(cls, groups: int) -> tuple[int, ...]:
        """Return the published levels, convolutions 13, 21, 25 and 31, whatever the depth."""
        del groups
        return 4, 6, 7, 9


class _Head(nn.Module):
    """Subpixel upsampling by 8 and a smoothing 5x5 convolution, cropped to the image's size."""

    def __init__(self, design: SegmenterDesign, channels: int, fine_channels: int) -> None:
        super().__init__()
        dims = design.dims
        self.spread = nn.Sequential(
            edge_conv(dims, (channels, _STRIDE**dims * fine_channels), kernel=3),
            *dropout_layer(design.dropout),
        )
        self.smooth = edge_conv(dims, (fine_channels, design.num_classes), kernel=5)

    def forward(self, state: State) -> State:
        image, features = state
        fine = crop(pixel_shuffle(self.spread(features), _STRIDE), image.shape[2:])
        return image, self.smooth(fine)
