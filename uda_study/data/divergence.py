"""Histograms of intensities, and the Jensen-Shannon divergence between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BINS = 64
PERCENTILES = (0.1, 99.9)


def common_edges(
    source: Sequence[NDArray[np.float32]], reference: Sequence[NDArray[np.float32]]
) -> NDArray[np.float64]:
    """Return the ``BINS + 1`` edges that fit the pooled voxels ``(V,)`` of both domains.

    ``reference`` are the target images before adaptation, so that before and after share edges.
    """
    pool = np.concatenate([*source, *reference])
    low, high = np.percentile(pool, PERCENTILES, overwrite_input=True)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(float(low), float(high), BINS + 1)


def histograms(
    images: Sequence[NDArray[np.float32]], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of each image's voxels ``(V,)`` per bin, ``(n, bins)``; rows sum to 1.

    Values below the first or above the last edge count in the outermost bins.
    """
    rows = [
        np.histogram(np.clip(image, edges[0], edges[-1]), edges)[0] / image.size for image in images
    ]
    return np.stack(rows)


def pairwise(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the divergence in bits of every row of ``p`` from every row of ``q``, ``(n, m)``.

    >>> pairwise(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    array([[0., 1.]])
    """
    mixed = _entropy((p[:, None, :] + q[None, :, :]) / 2)
    apart = mixed - (_entropy(p)[:, None] + _entropy(q)[None, :]) / 2
    # Rounding leaves values such as -1e-16 between equal rows.
    return np.clip(apart, 0.0, 1.0)


def excess(source: NDArray[np.float64], target_after: NDArray[np.float64]) -> float:
    """Return D(S, F(T)) - [D(S, S) + D(F(T), F(T))] / 2 of histograms ``(n, bins)``, in bits.

    D is the mean divergence over pairs; within a domain no image is paired with itself. 0 means
    that the domains differ no more than images of one domain do. NaN where a domain has a single
    image, which has no pairs.
    """
    between = float(pairwise(source, target_after).mean())
    within = float(to_others(source).mean()), float(to_others(target_after).mean())
    return between - sum(within) / 2


def to_others(domain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each image's mean divergence from the others, of histograms ``(n, bins)``.

    NaN for a single image, which has no others.
    """
    n = len(domain)
    if n < 2:
        return np.full(n, np.nan)
    # The diagonal is zero, so leaving it out changes the number of pairs only.
    means: NDArray[np.float64] = pairwise(domain, domain).sum(axis=1) / (n - 1)
    return means


def _entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    logarithm = np.log2(p, out=np.zeros_like(p), where=p > 0)
    total: NDArray[np.float64] = -np.einsum("...b,...b->...", p, logarithm)
    return total
