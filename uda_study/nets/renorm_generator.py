"""The image translator of Ren et al. (TMI 2021): a residual U-Net steered by a segmentation.

A semantic extractor turns the logits of a segmentation into one embedding; from it, every
normalisation of the generator takes the scale and shift of its channels (FiLM, Perez et al. 2018).
Without an extractor the normalisations learn scale and shift themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uda_study.nets.layers import SLOPE, conv, max_pool

BlockOrder = Literal["norm_first", "conv_first"]
Output = Literal["linear", "tanh"]

_EXTRACTOR_STAGES = 4
_MOST_DOUBLINGS = 3


@dataclass(frozen=True)
class ExtractorDesign:
    """How a segmentation becomes an embedding of ``features`` numbers.

    ``width`` is the channels of the first convolution, ``pool`` the side of the grid that is
    flattened. ``unit_scale``: scales are 1 + gamma, as in the public code, and not gamma.
    """

    num_classes: int
    width: int
    features: int
    pool: int
    dropout: float
    unit_scale: bool


@dataclass(frozen=True)
class GeneratorDesign:
    """How a generator is built; ``stages`` is how often it halves the image."""

    width: int
    stages: int
    order: BlockOrder
    output: Output


class SemanticExtractor(nn.Sequential):
    """Maps logits ``(N, K, *S)`` to embeddings ``(N, E)``; logits are not squashed before.

    Width 64, four classes, 512 features and a 7x7 grid give the published 14.7 M parameters.
    """

    def __init__(self, dims: int, design: ExtractorDesign) -> None:
        layers: list[nn.Module] = []
        before = design.num_classes
        for number in range(_EXTRACTOR_STAGES):
            after = design.width * 2**number
            convolution = conv(dims, (before, after), bias=True)
            layers += [convolution, max_pool(dims), nn.ReLU(inplace=True)]
            before = after
        pool = nn.AdaptiveAvgPool2d if dims == 2 else nn.AdaptiveAvgPool3d
        layers += [
            pool(design.pool),
            nn.Flatten(),
            nn.Linear(before * design.pool**dims, design.features),
            nn.ReLU(inplace=True),
            nn.Dropout(design.dropout),
            nn.Linear(design.features, design.features),
        ]
        super().__init__(*layers)


class Renorm(nn.Module):
    """Instance normalisation with scale and shift from an embedding (eq. 1)."""

    def __init__(self, channels: int, design: ExtractorDesign) -> None:
        super().__init__()
        self.scale = nn.Linear(design.features, channels)
        self.shift = nn.Linear(design.features, channels)
        self.offset = 1.0 if design.unit_scale else 0.0

    def forward(self, image: Tensor, embedding: Tensor) -> Tensor:
        """Map features ``(N, C, *S)`` and embeddings ``(N, E)`` to features of the same shape."""
        shape = (*image.shape[:2], *(1,) * (image.dim() - 2))
        scale: Tensor = self.offset + self.scale(embedding)
        shift: Tensor = self.shift(embedding)
        return F.group_norm(image, image.shape[1]) * scale.view(shape) + shift.view(shape)


class PlainNorm(nn.GroupNorm):
    """Instance normalisation with learned scale and shift, which looks at no embedding."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)

    def forward(self, image: Tensor, embedding: Tensor | None = None) -> Tensor:
        """Map features ``(N, C, *S)`` to features of the same shape."""
        del embedding
        return super().forward(image)


class RenormBlock(nn.Module):
    """Two 3x3 convolutions with normalisations, and a shortcut.

    ``norm_first``, as in the public code: normalisation, leaky ReLU, convolution, twice, with the
    narrower of both widths inside; the shortcut of a block that changes the width is normalised,
    too. ``conv_first``, as in the paper's figure 3: convolution, normalisation, ReLU, twice.
    """

    def __init__(
        self,
        dims: int,
        channels: tuple[int, int],
        order: BlockOrder,
        normalise: Callable[[int], nn.Module],
    ) -> None:
        super().__init__()
        before, after = channels
        self.norm_first = order == "norm_first"
        inside = min(before, after) if self.norm_first else after
        self.first = conv(dims, (before, inside))
        self.second = conv(dims, (inside, after))
        self.first_norm = normalise(before if self.norm_first else inside)
        self.second_norm = normalise(inside if self.norm_first else after)
        self.shortcut: nn.Module | None = None
        self.shortcut_norm: nn.Module | None = None
        if before != after:
            self.shortcut = conv(dims, channels, kernel=1)
            if self.norm_first:
                self.shortcut_norm = normalise(before)

    def forward(self, image: Tensor, embedding: Tensor | None) -> Tensor:
        """Map features ``(N, C, *S)`` to ``(N, C', *S)``."""
        skip = image if self.shortcut_norm is None else self.shortcut_norm(image, embedding)
        skip = skip if self.shortcut is None else self.shortcut(skip)
        if self.norm_first:
            inside = self.first(F.leaky_relu(self.first_norm(image, embedding), SLOPE))
            residue = self.second(F.leaky_relu(self.second_norm(inside, embedding), SLOPE))
        else:
            inside = F.relu(self.first_norm(self.first(image), embedding))
            residue = F.relu(self.second_norm(self.second(inside), embedding))
        result: Tensor = skip + residue
        return result


class RenormGenerator(nn.Module):
    """Maps images ``(N, C, *S)`` and logits ``(N, K, *S)`` to images of the same shape.

    Each stage halves the image with a 4x4 convolution; behind it stands a block. After two blocks
    above the bottom, each stage back is a block on the features beside those of the way down, and
    a repetition of voxels. Width 64 and four stages give 128-256-512-512 channels down and
    512-256-128-64 up, as published.
    """

    def __init__(
        self,
        dims: int,
        channels: int,
        design: GeneratorDesign,
        extractor: ExtractorDesign | None,
    ) -> None:
        super().__init__()
        self.extractor = None if extractor is None else SemanticExtractor(dims, extractor)

        def normalise(count: int) -> nn.Module:
            return PlainNorm(count) if extractor is None else Renorm(count, extractor)

        def block(before: int, after: int) -> RenormBlock:
            return RenormBlock(dims, (before, after), design.order, normalise)

        widths = [
            design.width * 2 ** min(number, _MOST_DOUBLINGS)
            for number in range(1, design.stages + 1)
        ]
        halving = nn.Conv2d if dims == 2 else nn.Conv3d
        self.head = halving(channels, design.width, 4, stride=2, padding=1)
        self.halve = nn.ModuleList(
            halving(width, width, 4, stride=2, padding=1, bias=False) for width in widths[:-1]
        )
        self.down = nn.ModuleList(
            block(before, after)
            for before, after in zip([design.width, *widths], widths, strict=False)
        )
        bottom = widths[-1]
        self.middle = nn.ModuleList([block(bottom, bottom), block(bottom, bottom)])
        self.up = nn.ModuleList()
        before = bottom
        for skip in widths[-2::-1]:
            self.up.append(block(before + skip, skip // 2))
            before = skip // 2
        self.tail = conv(dims, (before, channels), bias=True)
        self.output = design.output

    def forward(self, image: Tensor, logits: Tensor) -> Tensor:
        """Return the translated images; any size is kept."""
        embedding = None if self.extractor is None else self.extractor(logits)
        features = F.relu(self.head(image))
        skips = [self.down[0](features, embedding)]
        for halve, block in zip(self.halve, self.down[1:], strict=True):
            skips.append(block(halve(skips[-1]), embedding))
        *skips, features = skips
        sizes = [skip.shape[2:] for skip in skips[::-1]] + [image.shape[2:]]
        features = F.interpolate(features, sizes[0])
        for block in self.middle:
            features = block(features, embedding)
        for block, skip, size in zip(self.up, skips[::-1], sizes[1:], strict=True):
            features = block(torch.cat([features, skip], dim=1), embedding)
            features = F.interpolate(features, size)
        translated: Tensor = self.tail(F.leaky_relu(features, SLOPE))
        return torch.tanh(translated) if self.output == "tanh" else translated
