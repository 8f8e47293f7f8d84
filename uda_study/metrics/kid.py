"""The kernel distance between the features of two sets of planes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from uda_study.metric import SetMetric

_SUBSET, _SUBSETS = 1000, 100


class KernelDistance(SetMetric):
    """Squared maximum mean discrepancy of the features of target and source planes.

    The unbiased estimate with the kernel (x·y / D + 1)³ of D features (Bińkowski et al. 2018), on
    the features of an autoencoder with a domain head instead of Inception (Ren et al. 2021). Up to
    1000 planes a side all are used; of more, the mean over 100 drawn subsets of at most 1000. It is
    0 on average between samples of one distribution, so small values may be negative. It says how
    alike the domains look to one network, not whether the anatomy survived.
    """

    higher_is_better = False
    unit = ""
    default = False
    undefined = "a domain has a single plane"

    def measure(self, features: NDArray[np.float64], source: NDArray[np.float64]) -> float:
        """Return the discrepancy; NaN where a set has a single plane."""
        smaller, larger = sorted((len(features), len(source)))
        if smaller < 2:
            return float("nan")
        if larger <= _SUBSET:
            return discrepancy(features, source)
        rng, size = np.random.default_rng(0), min(_SUBSET, smaller)
        drawn = [
            discrepancy(
                rng.choice(features, size, replace=False), rng.choice(source, size, replace=False)
            )
            for _ in range(_SUBSETS)
        ]
        return float(np.mean(drawn))


def discrepancy(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the unbiased squared discrepancy of rows ``(n, D)`` and ``(m, D)``."""
    return _within(x) + _within(y) - 2 * float(_kernel(x, y).mean())


def _within(x: NDArray[np.float64]) -> float:
    """Return the kernel's mean over pairs of different rows."""
    kernel = _kernel(x, x)
    return float((kernel.sum() - np.trace(kernel)) / (len(x) * (len(x) - 1)))


def _kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    kernel: NDArray[np.float64] = (x @ y.T / x.shape[1] + 1) ** 3
    return kernel
