"""The lesions of a structure: its connected components, as the WMH challenge counts them.

Voxels that touch at a face, an edge or a corner belong to one lesion (26 neighbours in 3D, 8 in
2D). A lesion is found if one voxel of it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from uda_study.metric import Comparison
from uda_study.metrics._per_structure import volumes
from uda_study.metrics._region import Mask, region


class Lesions(NamedTuple):
    """How many lesions are true and how many of them were found; the same of predicted ones.

    ``confirmed`` are the predicted lesions that overlap a true one.
    """

    true: int
    found: int
    predicted: int
    confirmed: int

    @property
    def recall(self) -> float:
        """Found share of the true lesions; 1 where there are none."""
        return self.found / self.true if self.true else 1.0

    @property
    def precision(self) -> float:
        """Confirmed share of the predicted lesions; 1 where there are none."""
        return self.confirmed / self.predicted if self.predicted else 1.0


def lesions(comparison: Comparison, structure: int) -> Lesions:
    """Count the lesions of a structure."""
    if volumes(comparison, structure).absent:
        return Lesions(0, 0, 0, 0)
    part = region(comparison, structure)
    true, found = _count(part.true, part.predicted)
    predicted, confirmed = _count(part.predicted, part.true)
    return Lesions(true, found, predicted, confirmed)


def _count(mask: Mask, other: Mask) -> tuple[int, int]:
    """Return how many components a mask has, and how many of them overlap the other mask."""
    touching = ndimage.generate_binary_structure(mask.ndim, mask.ndim)
    numbered, count = ndimage.label(mask, touching)
    return int(count), np.unique(numbered[mask & other]).size
