"""How many structures are not found at all."""

from __future__ import annotations

from collections.abc import Sequence

from uda_study.metric import ALL, CaseMetric, Comparison


class Missed(CaseMetric):
    """Number of structures that the truth has and of which no voxel is predicted."""

    higher_is_better = False
    unit = "structures"

    def measure(self, comparison: Comparison, classes: Sequence[int]) -> dict[int, float]:
        """Return the number among the classes, under `ALL`."""
        predicted, true = comparison.predicted_volumes, comparison.true_volumes
        return {ALL: float(sum(true[c] > 0 and predicted[c] == 0 for c in classes))}
