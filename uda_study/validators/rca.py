"""Whether the predictions teach a classifier that is right on the source."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from uda_study.validator import Probe, Validator
from uda_study.validators._overlap import foreground_dice

VOXELS = 20_000
WINDOWS = (5, 11)
PENALTY = 1e-3
_POOL = {2: F.avg_pool2d, 3: F.avg_pool3d}


class ReverseClassification(Validator):
    """Mean foreground Dice, on source training images, of a classifier taught by the predictions.

    The reverse classifier is a ridge regression from a voxel's intensity, its means over windows of
    5 and 11 voxels, its place and the squares of all these to the predicted classes; it learns from
    20,000 voxels of the target probe (translated where the method translates, so that intensities
    agree) and is measured on source labels. In [0, 1]. Assumes that tissue looks alike in both
    domains, so it fails for methods that translate none where contrast differs; a simple classifier
    cannot learn what is not told by brightness and place. Source: Valindria et al., Reverse
    classification accuracy, IEEE TMI 2017; theirs registers atlases or trains forests.
    """

    def score(self, probe: Probe) -> float:
        """Return the score."""
        images = probe.images if probe.translate is None else probe.translate(probe.images)
        classes = probe.probabilities.shape[1]
        taught = F.one_hot(probe.probabilities.argmax(dim=1).flatten(), classes).double()
        rows = _features(images)
        generator = torch.Generator().manual_seed(probe.seed)
        chosen = torch.randperm(len(rows), generator=generator)[:VOXELS].to(rows.device)
        inputs = rows[chosen]
        gram = inputs.T @ inputs + PENALTY * len(inputs) * torch.eye(inputs.shape[1]).to(inputs)
        weights = torch.linalg.solve(gram, inputs.T @ taught[chosen])
        found = (_features(probe.training.images) @ weights).argmax(dim=1)
        return foreground_dice(found, probe.training.labels.flatten(), classes)


def _features(images: Tensor) -> Tensor:
    """Return one row of numbers per voxel of ``(N, C, *S)``, image by image."""
    dims = images.dim() - 2
    images = images.double()
    smoothed = [
        _POOL[dims](images, window, 1, window // 2, count_include_pad=False)
        for window in WINDOWS
        if window // 2 < min(images.shape[2:])
    ]
    axes = [torch.linspace(-1, 1, size).to(images) for size in images.shape[2:]]
    place = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    columns = torch.cat([images, *smoothed, place.expand(len(images), *place.shape)], dim=1)
    rows = columns.movedim(1, -1).reshape(-1, columns.shape[1])
    return torch.cat([rows, rows**2, torch.ones_like(rows[:, :1])], dim=1)
