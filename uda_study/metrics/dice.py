"""Overlap of prediction and truth."""

from __future__ import annotations

from uda_study.metric import Comparison
from uda_study.metrics._per_structure import PerStructure, volumes


class Dice(PerStructure):
    """Dice coefficient 2|P ∩ T| / (|P| + |T|) of each structure, in [0, 1].

    A structure that is empty in both prediction and truth counts as 1, empty in one of them as 0.

    >>> import numpy as np
    >>> truth = np.array([[0, 1, 1], [0, 0, 2]], dtype=np.uint8)
    >>> prediction = np.array([[0, 1, 0], [0, 0, 0]], dtype=np.uint8)
    >>> Dice().measure(Comparison(prediction, truth, (1.0, 1.0)), (1, 2, 3))
    {1: 0.6666666666666666, 2: 0.0, 3: 1.0}
    """

    higher_is_better = True
    unit = ""

    def value(self, comparison: Comparison, structure: int) -> float:
        """Return the coefficient of a structure."""
        found = volumes(comparison, structure)
        if found.absent:
            return 1.0
        return 2 * found.common / (found.predicted + found.true)
