"""A compact dilated network of nine stages for small images and short trainings."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from uda_study.nets.layers import conv, crop, pixel_shuffle
from uda_study.nets.segmenter import Layers, Segmenter, SegmenterDesign, State

# Per stage: channels as a multiple of the width, stride, dilation.
_STAGES = (
    (1, 1, 1), (1, 1, 1), (2, 2, 1), (2, 1, 1), (4, 2, 1), (4, 1, 1), (4, 1, 2), (4, 1, 4),
    (4, 1, 1),
)  # fmt: skip
_COARSE = 4  # the product of the strides


class DilatedFCN(Segmenter):
    """Nine 3x3 convolutions, a quarter of the size from the fifth on, and a 1x1 as the head.

    Every stage is a group, so the depth is 1 to 9. The head gives the logits of all voxels in a
    coarse one (sub-pixel convolution, Shi et al., CVPR 2016): interpolation loses thin structures.
    """

    group_ends = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    level_strides = (1, 1, 2, 2, 4, 4, 4, 4, 4, 1)
    erased_side = _COARSE
    default_width = 8
    default_dropout = 0.0

    @classmethod
    def build_groups(cls, design: SegmenterDesign) -> tuple[list[nn.Module], list[int]]:
        """Return nine stages and the head."""
        channels = [design.in_channels, *(multiple * design.width for multiple, _, _ in _STAGES)]
        groups: list[nn.Module] = [
            Layers(design.layer(shape, stride=stride, dilation=dilation))
            for shape, (_, stride, dilation) in zip(pairwise(channels), _STAGES, strict=True)
        ]
        fine = design.num_classes * _COARSE**design.dims
        groups.append(_Head(conv(design.dims, (channels[-1], fine), kernel=1, bias=True)))
        return groups, [*channels[1:], design.num_classes]


class _Head(nn.Module):
    def __init__(self, classify: nn.Conv2d | nn.Conv3d) -> None:
        super().__init__()
        self.classify = classify

    def forward(self, state: State) -> State:
        image, features = state
        return image, crop(pixel_shuffle(self.classify(features), _COARSE), image.shape[2:])
