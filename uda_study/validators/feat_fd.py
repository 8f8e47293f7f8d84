"""Whether the segmenter sees target images as it sees source images."""

from __future__ import annotations

import math

from uda_study.validator import Probe, Validator
from uda_study.validators._frechet import frechet_distance


class FeatureDistance(Validator):
    """Minus the Fréchet distance between the features of target and of source training images.

    Features are the mean over an image of what the segmenter's last layer sees; covariances are
    diagonal. 0 is best; NaN for a method without such a network. Assumes that equal features are
    segmented equally well. Fails when they agree in the mean over the image but not in place, and
    where methods align them by training: then it measures its own aim. Values of different
    architectures or depths cannot be compared. Source: Heusel et al., NeurIPS 2017.
    """

    def score(self, probe: Probe) -> float:
        """Return the score, at most 0."""
        target, source = probe.seen.features, probe.seen_training.features
        if target is None or source is None or target.shape[1] != source.shape[1]:
            return math.nan
        return -frechet_distance(target, source)
