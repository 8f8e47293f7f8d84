"""How uncertain a prediction is, as a loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def normalised_entropy(logits: Tensor) -> Tensor:
    """Return the mean over samples and voxels of H(p) / log K, in [0, 1].

    ``logits`` ``(N, K, *S)``; H(p) = - sum_c p_c log p_c (Vu et al. 2019, eq. 2 and 3, whose sum
    over pixels is a mean here). Computed in float32 at least.

    >>> round(float(normalised_entropy(torch.zeros(1, 3, 2, 2))), 6)
    1.0
    """
    log_p = torch.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=1)
    entropy = -(log_p.exp() * log_p).sum(dim=1)
    return entropy.mean() / math.log(logits.shape[1])
