"""Whether images have the source's intensities, after translation where there is one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from uda_study.data.divergence import common_edges, histograms, pairwise
from uda_study.validator import Probe, Validator


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
    mine, theirs, reference = (_voxels(part) for part in (images, source, before))
    edges = common_edges(theirs, reference)
    return float(pairwise(histograms(mine, edges), histograms(theirs, edges)).mean())


def _voxels(images: Tensor) -> list[NDArray[np.float32]]:
    """Return the voxels of each of the images ``(N, *S)``."""
    return list(images.float().cpu().flatten(1).numpy())
