"""How much of what is true is predicted."""

from __future__ import annotations

from uda_study.metric import Comparison
from uda_study.metrics._per_structure import PerStructure, volumes


class Recall(PerStructure):
    """Share |P ∩ T| / |T| of each structure's true voxels that are predicted, in [0, 1].

    A structure that is empty in both prediction and truth counts as 1, empty in one of them as 0.
    """

    higher_is_better = True
    unit = ""

    def value(self, comparison: Comparison, structure: int) -> float:
        """Return the recall of a structure."""
        found = volumes(comparison, structure)
        if found.absent:
            return 1.0
        return found.common / found.true if found.true else 0.0
