"""One overlap of all structures in which small ones count as much as large ones."""

from __future__ import annotations

from collections.abc import Sequence

from uda_study.metric import ALL, CaseMetric, Comparison


class GeneralisedDice(CaseMetric):
    """Dice of all structures together, each weighted by its inverse squared volume, in [0, 1].

    2 Σ w |P ∩ T| / Σ w (|P| + |T|) over the structures without the background, with w = 1 / |T|²,
    one of the weights of Crum et al. (IEEE TMI 25, 2006) in the form of Sudre et al. (DLMIA 2017).
    A structure that the truth lacks has the largest weight of those that it has. With no structure
    in the truth: 1 if none is predicted, else 0.
    """

    higher_is_better = True
    unit = ""

    def measure(self, comparison: Comparison, classes: Sequence[int]) -> dict[int, float]:
        """Return one value under `ALL`."""
        predicted, true = comparison.predicted_volumes, comparison.true_volumes
        weights = {c: 1 / true[c] ** 2 for c in classes if true[c]}
        if not weights:
            return {ALL: 0.0 if any(predicted[c] for c in classes) else 1.0}
        absent = max(weights.values())
        common = sum(w * comparison.common_volumes[c] for c, w in weights.items())
        total = sum(weights.get(c, absent) * (predicted[c] + true[c]) for c in classes)
        return {ALL: 2 * common / total}
