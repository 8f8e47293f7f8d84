"""How densely predictions lie together."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from uda_study.validator import Probe, Validator

VOXELS = 1024
TEMPERATURE = 0.05


class SoftNeighbourhoodDensity(Validator):
    """Mean entropy of the similarities between the predictions of 1024 voxels, as a share of log V.

    Similarities are the cosines of two voxels' probabilities, softened by a temperature of .05 and
    without the voxel itself; `Probe.seed` chooses the voxels. In [0, 1]. Assumes that a good model
    forms clusters with many members. Fails where it calls everything background, which is a single
    dense cluster: such a model gets the best value. Source: Saito et al., Tune it the right way,
    ICCV 2021.
    """

    def score(self, probe: Probe) -> float:
        """Return the score."""
        p = probe.probabilities
        rows = p.double().movedim(1, -1).reshape(-1, p.shape[1])
        generator = torch.Generator().manual_seed(probe.seed)
        chosen = torch.randperm(len(rows), generator=generator)[:VOXELS].to(rows.device)
        points = F.normalize(rows[chosen], dim=1)
        similarity = points @ points.T / TEMPERATURE
        similarity.fill_diagonal_(-math.inf)
        near = torch.softmax(similarity, dim=1)
        entropy = torch.special.entr(near).sum(dim=1).mean()
        return float(entropy) / math.log(max(len(points) - 1, 2))
