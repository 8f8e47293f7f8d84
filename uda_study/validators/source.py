"""How well the source is still segmented."""

from __future__ import annotations

from uda_study.validator import Probe, Validator
from uda_study.validators._overlap import foreground_dice


class SourceDice(Validator):
    """Mean foreground Dice on source validation images.

    Of the segmenter that the method started from, or of the method itself where there is none. In
    [0, 1]. Assumes that what is good at home is good abroad. Where the source segmenter is frozen
    it is the same for all trials and cannot rank them.
    """

    def score(self, probe: Probe) -> float:
        """Return the score."""
        found = probe.seen_validation.probabilities
        return foreground_dice(found.argmax(dim=1), probe.validation.labels, found.shape[1])
