"""How certain the model is of every voxel."""

from __future__ import annotations

from uda_study.validator import Probe, Validator
from uda_study.validators._entropy import normalised_entropy


class Entropy(Validator):
    """Minus the mean entropy of the class probabilities over all voxels, as a share of log K.

    -1 is a uniform guess everywhere, 0 full certainty. Assumes that a model which is confident on
    the target is right there. Fails when it is confidently wrong: the certain background of an
    empty prediction scores near 0, and so does a method that minimises entropy itself. Source:
    Morerio et al., Minimal-entropy correlation alignment, ICLR 2018.
    """

    def score(self, probe: Probe) -> float:
        """Return the score, in [-1, 0]."""
        return -float(normalised_entropy(probe.probabilities).mean())
