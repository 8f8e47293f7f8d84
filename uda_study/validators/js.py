"""Whether images have the source's intensities, after translation where there is one."""

from __future__ import annotations

import torch
from torch import Tensor

from uda_study.validator import Probe, Validator

BINS = 64
CLIPPED = 0.001


class Intensities(Validator):
    """Minus the mean Jensen-Shannon divergence, in bits, of target and source training images.

    Of translated images where the method translates, else of the images as they are, which is the
    same for all its trials. 64 bins over the .1 to 99.9 percentiles of the source's and the
    untranslated target's voxels; every image with every other, channels meaned. In [-1, 0].
    Assumes that images which look alike are segmented alike. Fails because intensities say nothing
    of anatomy: histogram matching reaches the best values while its segmentations are useless, so
    this is no rule to choose between methods by.
    """

    def score(self, probe: Probe) -> float:
        """Return the score."""
        images = probe.images if probe.translate is None else probe.translate(probe.images)
        channels = [
            _divergence(images[:, c], probe.training.images[:, c], probe.images[:, c])
            for c in range(images.shape[1])
        ]
        return -sum(channels) / len(channels)


def _divergence(images: Tensor, source: Tensor, before: Tensor) -> float:
    pool = torch.cat([source.flatten(), before.flatten()]).double().sort().values
    ends = (int(CLIPPED * (len(pool) - 1)), int((1 - CLIPPED) * (len(pool) - 1)))
    low, high = (float(pool[end]) for end in ends)
    if low == high:
        return 0.0
    mine, theirs = (_histograms(part, low, high) for part in (images, source))
    mixed = _entropy((mine[:, None] + theirs[None]) / 2)
    apart = mixed - (_entropy(mine)[:, None] + _entropy(theirs)[None]) / 2
    return float(apart.clamp(0, 1).mean())


def _histograms(images: Tensor, low: float, high: float) -> Tensor:
    """Return the share of each image's voxels per bin, ``(N, BINS)``."""
    rows = [
        torch.histc(image.double().cpu().clamp(low, high), BINS, low, high) / image.numel()
        for image in images
    ]
    return torch.stack(rows)


def _entropy(shares: Tensor) -> Tensor:
    entropy: Tensor = torch.special.entr(shares).sum(dim=-1) / torch.log(torch.tensor(2.0))
    return entropy
