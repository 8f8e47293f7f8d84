"""The uncertainty of a prediction, shared by the validators that average it."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def normalised_entropy(probabilities: Tensor) -> Tensor:
    """Return H(p) / log K in [0, 1] of ``(N, K, *S)`` probabilities, ``(N, *S)`` in float64.

    >>> normalised_entropy(torch.tensor([[[0.5, 1.0], [0.5, 0.0]]]))
    tensor([[1., 0.]], dtype=torch.float64)
    """
    # Reduced precision can leave probabilities slightly outside [0, 1], where entr is -inf.
    p = probabilities.double().clamp(0.0, 1.0)
    entropy: Tensor = torch.special.entr(p).sum(dim=1) / math.log(p.shape[1])
    return entropy.clamp(0.0, 1.0)
