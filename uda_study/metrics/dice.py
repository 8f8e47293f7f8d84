"""Overlap of prediction and truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uda_study.errors import InputError
from uda_study.metric import CaseMetric


class Dice(CaseMetric):
    """Dice coefficient 2|P ∩ T| / (|P| + |T|) of each structure, in [0, 1].

    A structure that is empty in both prediction and truth counts as 1, empty in one of them as 0.

    >>> truth = np.array([[0, 1, 1], [0, 0, 2]], dtype=np.uint8)
    >>> prediction = np.array([[0, 1, 0], [0, 0, 0]], dtype=np.uint8)
    >>> Dice().measure(prediction, truth, (1, 2, 3), (1.0, 1.0))
    {1: 0.6666666666666666, 2: 0.0, 3: 1.0}
    """

    higher_is_better = True
    unit = ""

    def measure(
        self,
        prediction: NDArray[np.uint8],
        truth: NDArray[np.uint8],
        classes: Sequence[int],
        spacing: tuple[float, ...],  # noqa: ARG002 - overlap has no length
    ) -> dict[int, float]:
        """Return the coefficient for each class; raises `InputError` if the shapes differ."""
        if prediction.shape != truth.shape:
            raise InputError.of(
                "prediction", f"must have the truth's shape {truth.shape}", prediction.shape
            )
        predicted = _voxels(prediction)
        true = _voxels(truth)
        common = _voxels(truth[prediction == truth])
        return {c: _coefficient(common[c], predicted[c] + true[c]) for c in classes}


def _voxels(labels: NDArray[np.uint8]) -> list[int]:
    counts: list[int] = np.bincount(labels.ravel(), minlength=256).tolist()
    return counts


def _coefficient(common: int, total: int) -> float:
    return 2 * common / total if total else 1.0
