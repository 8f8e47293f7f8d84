"""Overlap of prediction and truth as a share of their union."""

from __future__ import annotations

from uda_study.metric import Comparison
from uda_study.metrics._per_structure import PerStructure, volumes


class IntersectionOverUnion(PerStructure):
    """Jaccard index |P ∩ T| / |P ∪ T| of each structure, in [0, 1].

    A structure that is empty in both prediction and truth counts as 1, empty in one of them as 0.
    """

    higher_is_better = True
    unit = ""

    def value(self, comparison: Comparison, structure: int) -> float:
        """Return the index of a structure."""
        found = volumes(comparison, structure)
        if found.absent:
            return 1.0
        return found.common / (found.predicted + found.true - found.common)
