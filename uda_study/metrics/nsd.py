"""How much of the surfaces agrees within a tolerance."""

from __future__ import annotations

import numpy as np

from uda_study.metric import Comparison
from uda_study.metrics._per_structure import PerStructure, volumes
from uda_study.metrics._surface import one_sided, surfaces, voxel_edge

# Distances along an axis are whole voxels up to rounding, and so is the tolerance.
ROUNDING = 1e-6


class NormalisedSurfaceDice(PerStructure):
    """Share of both surfaces of each structure that lies within a voxel of the other, in [0, 1].

    The tolerance in mm is the middle one of the three edges of the image's own voxels (of 2D
    images the longer one). Border voxels count alike; the definition of Nikolov et al. (J Med
    Internet Res 23, 2021) weights surface elements by their area. A structure that is empty in both
    prediction and truth counts as 1, empty in one of them as 0.
    """

    higher_is_better = True
    unit = ""

    def value(self, comparison: Comparison, structure: int) -> float:
        """Return the share of a structure's surfaces."""
        return share_within(comparison, structure, voxel_edge(comparison))


def share_within(comparison: Comparison, structure: int, tolerance: float) -> float:
    """Return the share of both surfaces of a structure within ``tolerance`` mm of the other."""
    if volumes(comparison, structure).absent:
        return 1.0
    if one_sided(comparison, structure):
        return 0.0
    found = comparison.shared(surfaces, structure)
    limit = tolerance * (1 + ROUNDING)
    within = sum(int(np.count_nonzero(way <= limit)) for way in found)
    return within / sum(way.size for way in found)
