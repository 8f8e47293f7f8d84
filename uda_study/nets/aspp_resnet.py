"""The dilated ResNet with four parallel dilated convolutions of Chen et al. (MLMI 2018)."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from uda_study.nets.layers import conv, crop
from uda_study.nets.segmenter import Layers, Segmenter, SegmenterDesign, State

_RELU = 0.0
_STRIDE = 8
_RATES = (6, 12, 18, 24)
_STAGES = ((1, 1), (2, 1), (1, 2), (1, 4))  # stride and dilation


class AsppResNet(Segmenter):
    """The backbone of He et al. (CVPR 2016) at an eighth of the size, and a multi-scale head.

    As in DeepLab v2 (Chen et al., 2018) the last two stages are dilated by 2 and 4 instead of
    strided, and the logits are the sum of four 3x3 convolutions with dilations 6, 12, 18 and 24,
    interpolated linearly. Width 32, half of He et al.'s, doubles from stage to stage. Convolutions
    are counted with the 1x1 of the shortcuts.
    """

    blocks: ClassVar[tuple[int, ...]]
    expansion: ClassVar[int]
    level_strides = (4, 4, 8, 8, 8, 1)
    erased_side = _STRIDE
    default_width = 32
    default_dropout = 0.0

    @classmethod
    def build_groups(cls, design: SegmenterDesign) -> tuple[list[nn.Module], list[int]]:
        """Return the first convolution, four stages and the head."""
        pool = nn.MaxPool2d if design.dims == 2 else nn.MaxPool3d
        stem = design.layer((design.in_channels, design.width), kernel=7, stride=2, slope=_RELU)
        groups: list[nn.Module] = [Layers(stem, pool(3, stride=2, padding=1))]
        channels = [design.width]
        stages = zip(cls.blocks, _STAGES, strict=True)
        for power, (blocks, (stride, dilation)) in enumerate(stages):
            inner = design.width * 2**power
            after = inner * cls.expansion
            first = _Block(design, (channels[-1], inner, after), stride, dilation)
            others = (_Block(design, (after, inner, after), 1, dilation) for _ in range(blocks - 1))
            groups.append(Layers(first, *others))
            channels.append(after)
        groups.append(_Head(design, channels[-1]))
        return groups, [*channels, design.num_classes]


class AsppResNet18(AsppResNet):
    """Two basic blocks in each stage."""

    blocks = (2, 2, 2, 2)
    expansion = 1
    group_ends = (1, 5, 10, 15, 20, 24)


class AsppResNet50(AsppResNet):
    """3, 4, 6 and 3 bottlenecks."""

    blocks = (3, 4, 6, 3)
    expansion = 4
    group_ends = (1, 11, 24, 43, 53, 57)


class AsppResNet101(AsppResNet):
    """3, 4, 23 and 3 bottlenecks, as published."""

    blocks = (3, 4, 23, 3)
    expansion = 4
    group_ends = (1, 11, 24, 94, 104, 108)


class _Block(nn.Module):
    """A residual block: two 3x3 convolutions, or one between two of 1x1 where channels expand."""

    def __init__(
        self,
        design: SegmenterDesign,
        channels: tuple[int, int, int],
        stride: int,
        dilation: int,
    ) -> None:
        super().__init__()
        before, inner, after = channels
        if after > inner:
            layers = [
                design.layer((before, inner), kernel=1, slope=_RELU),
                design.layer((inner, inner), stride=stride, dilation=dilation, slope=_RELU),
                design.layer((inner, after), kernel=1, slope=None),
            ]
        else:
            layers = [
                design.layer((before, inner), stride=stride, dilation=dilation, slope=_RELU),
                design.layer((inner, after), dilation=dilation, slope=None),
            ]
        self.residue = nn.Sequential(*layers)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or before != after:
            self.shortcut = design.layer((before, after), kernel=1, stride=stride, slope=None)

    def forward(self, image: Tensor) -> Tensor:
        grown: Tensor = self.residue(image).add_(self.shortcut(image))
        return grown.relu_()


class _Head(nn.Module):
    """The sum of four dilated convolutions, interpolated and cropped to the image's size."""

    def __init__(self, design: SegmenterDesign, channels: int) -> None:
        super().__init__()
        shape = (channels, design.num_classes)
        self.branches = nn.ModuleList(
            conv(design.dims, shape, dilation=rate, bias=True) for rate in _RATES
        )
        self.mode = "bilinear" if design.dims == 2 else "trilinear"

    def forward(self, state: State) -> State:
        image, features = state
        logits = self.branches[0](features)
        for branch in self.branches[1:]:
            logits = logits.add_(branch(features))
        fine = F.interpolate(logits, scale_factor=_STRIDE, mode=self.mode)
        return image, crop(fine, image.shape[2:])
