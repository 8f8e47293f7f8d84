"""A critic that looks at an image and at smaller versions of it (Huang et al., ECCV 2018)."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from uda_study.nets.disentangle import reflect_conv
from uda_study.nets.layers import ConvLayer


class MultiscaleCritic(nn.Module):
    """One critic per scale, each half as large as the one before; nothing is normalised.

    Each has ``stages`` 4x4 convolutions of stride 2, whose channels double from ``width`` on, and a
    1x1 one: with 64 and four stages the published 64-128-256-512 channels.
    """

    def __init__(
        self, dims: int, channels: int, *, width: int = 64, stages: int = 4, scales: int = 3
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_critic(dims, channels, width, stages) for _ in range(scales))
        self._shrink = F.avg_pool2d if dims == 2 else F.avg_pool3d

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map ``(N, C, *S)`` to one map of scores ``(N, 1, *S')`` per scale; higher means real."""
        scores = []
        for number, critic in enumerate(self.scales):
            if number > 0:
                image = self._shrink(image, 3, 2, 1, count_include_pad=False)
            scores.append(critic(image))
        return scores


def smallest_side(stages: int, scales: int) -> int:
    """Return the shortest side of an image that such a critic can take, in voxels.

    >>> smallest_side(stages=4, scales=3)
    61
    """
    # The last convolution mirrors a border of one voxel, so it has to be given two.
    return int((2**stages - 1) * 2 ** (scales - 1) + 1)


def receptive_field(stages: int, scales: int) -> int:
    """Return how many voxels across the smallest scale's scores depend on.

    >>> receptive_field(stages=4, scales=1), receptive_field(stages=4, scales=3)
    (46, 187)
    """
    field = 1
    for _ in range(stages):
        field = 2 * field + 2
    for _ in range(scales - 1):
        field = 2 * field + 1
    return field


def _critic(dims: int, channels: int, width: int, stages: int) -> nn.Sequential:
    widths = [channels, *(width * 2**number for number in range(stages))]
    layers: list[nn.Module] = [
        ConvLayer(reflect_conv(dims, (before, after), kernel=4, stride=2, bias=True), "none")
        for before, after in pairwise(widths)
    ]
    layers.append(reflect_conv(dims, (widths[-1], 1), kernel=1, bias=True))
    return nn.Sequential(*layers)
