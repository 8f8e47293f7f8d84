"""How much larger or smaller structures are predicted than they are."""

from __future__ import annotations

import math

from uda_study.metric import Comparison
from uda_study.metrics._per_structure import PerStructure, volumes


class VolumeDifference(PerStructure):
    """Relative volume difference (|P| - |T|) / |T| of each structure; best is 0.

    Negative where too little is predicted, -1 where nothing is. A structure that is empty in both
    counts as 0; predicted where there is none it has no relative difference: NaN.
    """

    higher_is_better = False
    unit = ""
    undefined = "a structure is predicted that the truth lacks"

    def value(self, comparison: Comparison, structure: int) -> float:
        """Return the signed difference of a structure."""
        found = volumes(comparison, structure)
        if found.absent:
            return 0.0
        return (found.predicted - found.true) / found.true if found.true else math.nan
