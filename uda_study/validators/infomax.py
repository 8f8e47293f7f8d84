"""How certain the model is of each voxel while using all classes."""

from __future__ import annotations

from uda_study.validator import Probe, Validator
from uda_study.validators._entropy import normalised_entropy


class InfoMax(Validator):
    """Entropy of the mean prediction minus the mean entropy of the predictions, as shares of log K.

    In [-1, 1]. Assumes that all classes fill about as many voxels. That is never so in medical
    images, so it rewards over-segmentation. Source: Shi and Sha, Information-theoretical learning
    of discriminative clusters, ICML 2012.
    """

    def score(self, probe: Probe) -> float:
        """Return the score."""
        p = probe.probabilities
        mean = p.double().movedim(1, -1).reshape(-1, p.shape[1]).mean(dim=0)
        overall = float(normalised_entropy(mean[None, :, None])[0, 0])
        return overall - float(normalised_entropy(p).mean())
