"""The Fréchet distance between the features of two sets of planes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from uda_study.metric import SetMetric


class FrechetDistance(SetMetric):
    """Squared Fréchet distance of Gaussians fitted to the features of target and source planes.

    |a - b|² + tr(A + B - 2 (AB)^½) with the means a, b and the unbiased covariances A, B (Heusel et
    al. 2017), here of the features of an autoencoder with a domain head instead of Inception (Ren
    et al. 2021). 0 is equal. The estimate is biased upwards, the more so the fewer planes there
    are. It says how alike the domains look to one network, not whether the anatomy survived.
    """

    higher_is_better = False
    unit = ""
    default = False
    undefined = "there are fewer planes than the network has features"

    def measure(self, features: NDArray[np.float64], source: NDArray[np.float64]) -> float:
        """Return the distance; NaN where a set has fewer planes than features.

        >>> from itertools import product
        >>> square = np.array(list(product((-1.0, 1.0), repeat=2)))
        >>> FrechetDistance().measure(square, square + [3, 4])
        25.0
        """
        if min(len(features), len(source)) < features.shape[1]:
            return float("nan")
        apart = features.mean(axis=0) - source.mean(axis=0)
        ours, theirs = _covariance(features), _covariance(source)
        root = _root(ours)
        # The eigenvalues of the product are those of this symmetric matrix, which has real ones.
        common = np.linalg.eigvalsh(root @ theirs @ root)
        spread = np.trace(ours) + np.trace(theirs) - 2 * np.sqrt(common.clip(min=0)).sum()
        return float(apart @ apart + max(spread, 0.0))


def _covariance(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.atleast_2d(np.cov(rows, rowvar=False))


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    root: NDArray[np.float64] = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    return root
