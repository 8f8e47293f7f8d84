"""Whether the model says the same of an image that has been moved and changed a little."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from uda_study.validator import Probe, Validator
from uda_study.validators._overlap import foreground_dice

VIEWS = 2
LARGEST_SHIFT = 4
LARGEST_GAMMA = 1.25
NOISE = 0.05


class Consistency(Validator):
    """Mean foreground Dice between y(x) and T⁻¹ y(Tx), over structures and two transforms T.

    T moves the image by 1 to 4 voxels along each axis (an eighth of the axis at most), bends its
    intensities by a gamma in [1/1.25, 1.25] within each image's range and adds noise of 5 % of its
    standard deviation; `Probe.seed` fixes them. Only voxels that both views see are compared.

    Voxels are counted over all images before the Dice is taken. A structure found in neither view
    of any image counts as 0, not as agreement, so a model that segments nothing gets 0, the worst.

    Assumes that the right segmentation depends on anatomy, not on position or contrast. Fails when
    a model is steadily wrong, for example by always picking the brightest organ; a model that
    finds an absent structure beats one that leaves it out. Source: consistency under perturbation
    as in French et al., Self-ensembling for visual domain adaptation, ICLR 2018.
    """

    def score(self, probe: Probe) -> float:
        """Return the score, in [0, 1]."""
        first = probe.probabilities
        classes = first.shape[1]
        labels = first.argmax(dim=1)
        # The CPU generator gives the same numbers whatever device the images are on.
        generator = torch.Generator().manual_seed(probe.seed)
        scores = [self._view(probe, labels, classes, generator) for _ in range(VIEWS)]
        return sum(scores) / VIEWS

    def _view(
        self, probe: Probe, labels: Tensor, classes: int, generator: torch.Generator
    ) -> float:
        shift = _Shift.drawn(probe.images.shape[2:], generator)
        changed = _noisy(_bent(shift.move(probe.images), generator), generator)
        second = probe.predict(changed).argmax(dim=1)
        return foreground_dice(shift.before(labels), shift.after(second), classes)


@dataclass(frozen=True)
class _Shift:
    """By how many voxels each spatial axis moves."""

    steps: tuple[int, ...]

    @classmethod
    def drawn(cls, size: torch.Size, generator: torch.Generator) -> _Shift:
        return cls(tuple(_step(min(LARGEST_SHIFT, n // 8), generator) for n in size))

    def move(self, images: Tensor) -> Tensor:
        """Move ``(N, C, *S)``; the border is filled with the nearest voxels."""
        for axis, step in enumerate(self.steps, start=2):
            n = images.shape[axis]
            index = (torch.arange(n, device=images.device) + step).clamp(0, n - 1)
            images = images.index_select(axis, index)
        return images

    def before(self, labels: Tensor) -> Tensor:
        """Cut out of ``(N, *S)`` what is still seen after the move."""
        return self._cut(labels, sign=1)

    def after(self, labels: Tensor) -> Tensor:
        """Cut the same voxels out of what was predicted after the move."""
        return self._cut(labels, sign=-1)

    def _cut(self, labels: Tensor, sign: int) -> Tensor:
        for axis, step in enumerate(self.steps, start=1):
            n = labels.shape[axis]
            labels = labels.narrow(axis, max(0, sign * step), n - abs(step))
        return labels


def _step(largest: int, generator: torch.Generator) -> int:
    if largest == 0:
        return 0
    length = int(torch.randint(1, largest + 1, (), generator=generator))
    return length if torch.rand((), generator=generator) < 0.5 else -length


def _bent(images: Tensor, generator: torch.Generator) -> Tensor:
    """Raise each image's intensities, as a share of its range, to a random power."""
    spatial = tuple(range(2, images.ndim))
    low, high = images.amin(spatial, keepdim=True), images.amax(spatial, keepdim=True)
    # A constant image has no range and stays as it is.
    span = (high - low).clamp_min(torch.finfo(images.dtype).tiny)
    exponent = 2 * torch.rand(low.shape, generator=generator) - 1
    gamma = torch.exp(exponent * math.log(LARGEST_GAMMA)).to(images)
    bent: Tensor = low + (high - low) * ((images - low) / span) ** gamma
    return bent


def _noisy(images: Tensor, generator: torch.Generator) -> Tensor:
    spatial = tuple(range(2, images.ndim))
    strength = NOISE * images.std(spatial, keepdim=True, correction=0)
    return images + strength * torch.randn(images.shape, generator=generator).to(images)
