"""What metrics of the distance between surfaces have in common."""

from __future__ import annotations

from abc import abstractmethod

from uda_study.metric import Comparison
from uda_study.metrics._per_structure import PerStructure, volumes
from uda_study.metrics._surface import Surfaces, diagonal, one_sided, surfaces


class SurfaceDistance(PerStructure):
    """A distance in mm: 0 if both lack a structure, the image's diagonal if one of them does."""

    higher_is_better = False
    unit = "mm"

    def value(self, comparison: Comparison, structure: int) -> float:
        """Return the distance of a structure."""
        if volumes(comparison, structure).absent:
            return 0.0
        if one_sided(comparison, structure):
            return diagonal(comparison)
        return self.between(comparison.shared(surfaces, structure))

    @abstractmethod
    def between(self, found: Surfaces) -> float:
        """Return the distance in mm between two surfaces."""
