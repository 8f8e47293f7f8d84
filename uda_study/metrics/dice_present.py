"""Overlap of prediction and truth where there is anything to overlap."""

from __future__ import annotations

import math

from uda_study.metric import Comparison
from uda_study.metrics._per_structure import volumes
from uda_study.metrics.dice import Dice


class DicePresent(Dice):
    """Dice coefficient, undefined (NaN) for a structure that is empty in prediction and truth.

    Means leave such cases out, where `dice` counts them as 1.
    """

    undefined = "neither prediction nor truth has the structure"

    def value(self, comparison: Comparison, structure: int) -> float:
        """Return the coefficient of a structure."""
        if volumes(comparison, structure).absent:
            return math.nan
        return super().value(comparison, structure)
