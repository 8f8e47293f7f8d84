"""How much structure of a restoration survives low noise on the translation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from uda_study.metric import TranslationMetric
from uda_study.metrics.ssim import similarity


class SensitivitySimilarity(TranslationMetric):
    """Structural similarity of what is restored from a noisy translation, and without the noise.

    S_SSIM of Ren et al. 2021 (eq. 7), averaged over the noise's standard deviation in [0, 0.5] of
    images scaled to [-1, 1]; 1 is untouched by noise. The similarity is that of the metric
    ``ssim``. A restoration that ignores its input has 1: read it beside the error of the cycle.
    """

    higher_is_better = True
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
        """Return the mean of the map inside the mask."""
        return float(similarity(image, reference, data_range)[mask].mean())
