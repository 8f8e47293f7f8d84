"""How far low noise on a translation throws its restoration off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from uda_study.metric import TranslationMetric


class SensitivityError(TranslationMetric):
    """Mean squared error of what is restored from a noisy translation, against the one without.

    S_MSE of Ren et al. 2021 (eq. 6), averaged over the noise's standard deviation in [0, 0.5];
    images count as scaled to [-1, 1]. A generator that hides in its translation what the way back
    needs (a self-adversarial attack) depends on fine detail there and scores high. A restoration
    that copies its input has 1/12, one that ignores it 0: read it beside the error of the cycle.
    """

    higher_is_better = False
    unit = ""
    default = False
    perturbs = True

    def measure(
        self,
        image: NDArray[np.float32],
        reference: NDArray[np.float32],
        mask: NDArray[np.bool_],
        data_range: float,
    ) -> float:
        """Return the mean square of the difference inside the mask."""
        difference = (image[mask].astype(np.float64) - reference[mask]) / (data_range / 2)
        return float(np.mean(difference**2))
