"""Losses of segmentation, computed per sample so that ranks and batch sizes agree.

Dou et al. (2018), eq. 1: L = - sum_i sum_c w_c y_ic log p_ic - lambda sum_c 2 sum_i y_ic p_ic /
(sum_i y_ic^2 + sum_i p_ic^2). Published code sums over the whole batch and takes the class weights
from it; here every sample has its own sums and weights and the samples are averaged, because an
average over ranks could not reproduce a ratio of sums. Sums over voxels and classes are means.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_TINY = 1e-7


def cross_entropy(logits: Tensor, label: Tensor, weighted: bool) -> Tensor:
    """Return the mean over samples and voxels of - w_c log p_c, the first term of eq. 1.

    ``logits`` ``(N, K, *S)``, ``label`` ``(N, *S)``. With ``weighted``, w_c = 1 - (share of class c
    in the sample's voxels), else 1.

    >>> label = torch.tensor([[[0, 0], [0, 1]]])
    >>> round(float(cross_entropy(torch.zeros(1, 2, 2, 2), label, weighted=False)), 4)
    0.6931
    >>> round(float(cross_entropy(torch.zeros(1, 2, 2, 2), label, weighted=True)), 4)
    0.2599
    """
    loss = F.cross_entropy(logits, label, reduction="none")
    if not weighted:
        return loss.mean()
    share = one_hot(label, logits).flatten(2).mean(2)
    weight = torch.gather(1 - share, 1, label.flatten(1)).view_as(label)
    return (weight * loss).mean()


def soft_dice(logits: Tensor, label: Tensor) -> Tensor:
    """Return the mean over samples and classes of 2 sum(y p) / (sum(y^2) + sum(p^2)).

    ``logits`` ``(N, K, *S)``, ``label`` ``(N, *S)``; the background counts as a class, as in the
    published code. A class that a sample lacks scores 0. The loss is minus this score.

    >>> label = torch.tensor([[[0, 0], [0, 1]]])
    >>> perfect = 100 * torch.tensor([[[[1.0, 1], [1, 0]], [[0, 0], [0, 1]]]])
    >>> round(float(soft_dice(perfect, label)), 4)
    1.0
    """
    probability = torch.softmax(logits, dim=1).flatten(2)
    truth = one_hot(label, probability).flatten(2)
    overlap = (truth * probability).sum(2)
    size = truth.sum(2) + (probability * probability).sum(2)
    return (2 * overlap / (size + _TINY)).mean()


def one_hot(label: Tensor, like: Tensor) -> Tensor:
    """Return the label ``(N, *S)`` as ``(N, K, *S)`` in the type of ``like`` ``(N, K, …)``."""
    return F.one_hot(label, like.shape[1]).movedim(-1, 1).to(like.dtype)
