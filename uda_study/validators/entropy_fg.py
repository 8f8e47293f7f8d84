"""How certain the model is of the structures that it finds."""

from __future__ import annotations

from uda_study.validator import Probe, Validator
from uda_study.validators._entropy import normalised_entropy

WORST = -1.0


class ForegroundEntropy(Validator):
    """Minus the mean entropy, as a share of log K, over the voxels predicted as a structure.

    The voxels of all images are pooled; a model that finds no structure in any of them gets the
    worst value, -1. Assumes that wrongly segmented voxels are uncertain; unlike the mean over all
    voxels it is not flattered by certain background. Fails when a model is certain of few voxels
    and misses the rest, or certain of a wrong organ; large structures outweigh small ones. Source:
    the entropy criterion of Morerio et al., ICLR 2018, restricted to the predicted foreground.
    """

    def score(self, probe: Probe) -> float:
        """Return the score, in [-1, 0]."""
        probabilities = probe.probabilities
        foreground = probabilities.argmax(dim=1) > 0
        if not foreground.any():
            return WORST
        return -float(normalised_entropy(probabilities)[foreground].mean())
