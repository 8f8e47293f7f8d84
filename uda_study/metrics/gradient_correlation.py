"""How well the edges of a translated image lie where those of its input do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from uda_study.metric import TranslationMetric


class GradientCorrelation(TranslationMetric):
    """Pearson correlation of the gradients' magnitudes of a translated image and its input.

    Central differences in planes across the last axis, all voxels inside the mask together; in
    [-1, 1], 1 is equal. Only where edges lie and how strong they are counts, not which side is the
    brighter one: an image and its negative have 1. So it tells whether anatomy moved, vanished or
    was invented where `ssim` would blame the contrast; it does not tell whether the contrast is
    right. No rule for choosing a method.
    """

    higher_is_better = True
    unit = ""
    default = False
    undefined = "one of the images is flat inside its mask"

    def measure(
        self,
        image: NDArray[np.float32],
        reference: NDArray[np.float32],
        mask: NDArray[np.bool_],
        data_range: float,  # noqa: ARG002 - a correlation has no scale
    ) -> float:
        """Return the correlation; NaN where all gradients of an image are equal."""
        ours, theirs = _edges(image)[mask], _edges(reference)[mask]
        if min(np.ptp(ours), np.ptp(theirs)) == 0:
            return float("nan")
        return float(np.corrcoef(ours, theirs)[0, 1])


def _edges(volume: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the in-plane gradient's magnitude ``(X, Y, Z)``, in intensity per voxel."""
    along_x, along_y = np.gradient(volume.astype(np.float64), axis=(0, 1))
    magnitude: NDArray[np.float64] = np.hypot(along_x, along_y)
    return magnitude
