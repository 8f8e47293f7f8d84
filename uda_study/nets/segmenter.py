"""A segmentation network cut into consecutive groups, so that a method can replace the first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from uda_study.errors import InputError
from uda_study.nets.layers import SLOPE, ConvLayer, NormName, conv

State = tuple[Tensor, ...]
"""What one group hands to the next; the last tensor holds the current features ``(N, C, *S)``."""


@dataclass(frozen=True)
class SegmenterDesign:
    """What a segmenter is built for and how; ``width`` is the channels of its first layers."""

    dims: int
    in_channels: int
    num_classes: int
    width: int
    norm: NormName = "instance"
    dropout: float = 0.0

    def layer(
        self,
        channels: tuple[int, int],
        *,
        kernel: int = 3,
        stride: int = 1,
        dilation: int = 1,
        slope: float | None = SLOPE,
    ) -> ConvLayer:
        """Return a convolution as in `layers.conv` with the design's dropout and norm."""
        convolution = conv(
            self.dims,
            channels,
            kernel=kernel,
            stride=stride,
            dilation=dilation,
            bias=self.norm == "none",
        )
        return ConvLayer(convolution, self.norm, self.dropout, slope)


class Layers(nn.Sequential):
    """A group without skips: it keeps the image as first tensor of the state and maps the last."""

    def forward(self, state: State) -> State:
        """Return ``(image, features)``."""
        features = state[-1]
        for layer in self:
            features = layer(features)
        return state[0], features


def run_groups(groups: Iterable[nn.Module], state: State) -> list[State]:
    """Pass the state through the groups and return the state after each of them."""
    states = []
    for group in groups:
        state = group(state)
        states.append(state)
    return states


class Segmenter(nn.Module, ABC):
    """Maps images ``(N, C, *S)`` to class logits ``(N, K, *S)`` of the same size.

    Attributes
    ----------
    group_ends
        How many convolutions lie up to each group's end, the paper's depth d. The last group is
        the head: it gives the logits and cannot be replaced.
    level_strides
        How many times smaller than the image the features at each group's end are.
    level_channels
        How many channels these features have.
    erased_side
        An image whose longest side has no more voxels than this shrinks to a single one, and
        normalising that would erase it.
    default_width, default_dropout
        The published values.

    """

    group_ends: ClassVar[tuple[int, ...]]
    level_strides: ClassVar[tuple[int, ...]]
    erased_side: ClassVar[int]
    default_width: ClassVar[int]
    default_dropout: ClassVar[float]

    def __init__(self, design: SegmenterDesign) -> None:
        super().__init__()
        groups, level_channels = self.build_groups(design)
        self.groups = nn.ModuleList(groups)
        self.level_channels = tuple(level_channels)

    @classmethod
    @abstractmethod
    def build_groups(cls, design: SegmenterDesign) -> tuple[list[nn.Module], list[int]]:
        """Return the groups and the channels at their ends."""

    @property
    def num_groups(self) -> int:
        """How many groups there are, the head among them."""
        return len(self.groups)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits ``(N, K, *S)``."""
        return run_groups(self.groups, (image,))[-1][-1]

    def run(self, state: State, start: int, stop: int) -> list[State]:
        """Pass the state through the groups ``start`` to ``stop - 1``, counted from zero.

        ``(image,)`` is the state before group 0. Returns the state after each group.
        """
        return run_groups(list(self.groups)[start:stop], state)

    @classmethod
    def resolve_depth(cls, depth: int | str, where: str = "depth") -> int:
        """Return how many groups ``depth`` means: convolutions as a number, or ``g4`` for groups.

        Raises `InputError` listing all legal depths for anything that is not the end of a group
        below the head.
        """
        ends = cls.group_ends[:-1]
        named: dict[int | str, int] = {end: number for number, end in enumerate(ends, start=1)}
        named |= {f"g{number}": number for number in range(1, len(ends) + 1)}
        if depth not in named:
            legal = ", ".join(f"{end} (g{number})" for number, end in enumerate(ends, start=1))
            raise InputError.of(where, f"must be one of {legal}", depth)
        return named[depth]

    @classmethod
    def critic_levels(cls, groups: int) -> tuple[int, ...]:
        """Return the groups whose features a critic sees if the first ``groups`` are replaced.

        These are the last replaced group, one in the upper third and the last below the head.
        """
        last = len(cls.group_ends) - 1
        upper = min(last, max(groups + 1, 2 * last // 3))
        return tuple(sorted({groups, upper, last}))
