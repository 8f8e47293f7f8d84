"""How much of an image's structure a translation keeps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from uda_study.metric import TranslationMetric

_SIGMA, _RADIUS = 1.5, 5
_K1, _K2 = 0.01, 0.03


class StructuralSimilarity(TranslationMetric):
    """Structural similarity (SSIM) of a translated image and its input, in [-1, 1]; 1 is equal.

    After Wang et al. 2004: Gaussian window of standard deviation 1.5 voxels in 11 x 11, K1 = 0.01,
    K2 = 0.03, in planes across the last axis, averaged inside the mask; intensities are not
    negative, which the definition takes for granted. It looks at contrast as well as at structure:
    a translation that inverts the contrast, as it may have to, scores low however well it keeps
    the anatomy, and one that changes nothing has 1. No rule for choosing a method.
    """

    higher_is_better = True
    unit = ""

    def measure(
        self,
        image: NDArray[np.float32],
        reference: NDArray[np.float32],
        mask: NDArray[np.bool_],
        data_range: float,
    ) -> float:
        """Return the mean of the map inside the mask."""
        return float(similarity(image, reference, data_range)[mask].mean())


def similarity(
    image: NDArray[np.float32], reference: NDArray[np.float32], data_range: float
) -> NDArray[np.float64]:
    """Return the map ``(X, Y, Z)`` of two volumes, plane by plane; borders are mirrored."""
    x, y = image.astype(np.float64), reference.astype(np.float64)
    mean_x, mean_y = _windowed(x), _windowed(y)
    variance_x = _windowed(x * x) - mean_x**2
    variance_y = _windowed(y * y) - mean_y**2
    covariance = _windowed(x * y) - mean_x * mean_y
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    alike = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    apart = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    quotient: NDArray[np.float64] = alike / apart
    return quotient


def _windowed(volume: NDArray[np.float64]) -> NDArray[np.float64]:
    smooth: NDArray[np.float64] = gaussian_filter(volume, _SIGMA, radius=_RADIUS, axes=(0, 1))
    return smooth
