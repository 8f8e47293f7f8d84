"""The overlap of two segmentations, shared by the validators that compare some."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def foreground_dice(first: Tensor, second: Tensor, classes: int) -> float:
    """Return the Dice of classes ``(N, *S)``, counted over all images, meaned over the structures.

    A structure found in neither counts as 0, not as agreement.

    >>> import torch
    >>> foreground_dice(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]]), 3)
    0.3333333333333333
    """
    one_hot = [F.one_hot(labels.flatten(), classes)[:, 1:].bool() for labels in (first, second)]
    common = (one_hot[0] & one_hot[1]).sum(dim=0).double()
    total = (one_hot[0].sum(dim=0) + one_hot[1].sum(dim=0)).double()
    return float((2 * common / total.clamp_min(1)).mean())
