"""The Fréchet distance of two small samples, shared by the validators that compare statistics."""

from __future__ import annotations

import torch
from torch import Tensor

_SMALLEST_DEVIATION = 1e-6


def frechet_distance(sample: Tensor, reference: Tensor) -> float:
    """Return the squared Fréchet distance of rows ``(N, F)`` from ``(M, F)``, a mean per column.

    Normal distributions with diagonal covariance are compared, because a full one cannot be
    estimated from fewer rows than columns; columns are scaled by the deviation of all rows.
    """
    scale = torch.cat([sample, reference]).double().std(dim=0, correction=0)
    first, second = (
        part.double() / scale.clamp_min(_SMALLEST_DEVIATION) for part in (sample, reference)
    )
    means = (first.mean(dim=0) - second.mean(dim=0)) ** 2
    spreads = (first.std(dim=0, correction=0) - second.std(dim=0, correction=0)) ** 2
    return float((means + spreads).mean())
