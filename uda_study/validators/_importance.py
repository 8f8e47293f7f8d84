"""Weights that make source images count as target ones, shared by validators of the risk."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from uda_study.validator import Probe

_PENALTY = 1.0
_NEWTON_STEPS = 20
_SMALLEST_DEVIATION = 1e-6


def weighted_risk(probe: Probe) -> tuple[Tensor, Tensor] | None:
    """Return each source validation image's weight and weighted risk, both ``(M,)``.

    The risk of an image is 1 - the mean soft Dice of its structures, and its weight the density
    ratio of target to source by `density_ratio` of the features. None without features.
    """
    seen, train, target = probe.seen_validation, probe.seen_training, probe.seen
    if seen.features is None or train.features is None or target.features is None:
        return None
    if train.features.shape[1] != target.features.shape[1]:
        return None
    weights = density_ratio(train.features, target.features, seen.features)
    classes = seen.probabilities.shape[1]
    truth = F.one_hot(probe.validation.labels, classes).movedim(-1, 1)[:, 1:].double()
    found = seen.probabilities[:, 1:].double()
    over = tuple(range(2, truth.dim()))
    dice = (2 * (truth * found).sum(over) + 1) / (truth.sum(over) + found.sum(over) + 1)
    risk = 1 - dice.mean(dim=1)
    return weights, weights * risk


def density_ratio(source: Tensor, target: Tensor, rows: Tensor) -> Tensor:
    """Return p_target / p_source at ``rows`` ``(M, F)``, by logistic regression of the domain.

    ``source`` and ``target`` are ``(N, F)`` and ``(L, F)``; standardised, penalty 1 on the squared
    weights. See Bickel et al., Discriminative learning under covariate shift, JMLR 2009.
    """
    both = torch.cat([source, target]).double()
    mean, deviation = both.mean(dim=0), both.std(dim=0, correction=0)
    deviation = deviation.clamp_min(_SMALLEST_DEVIATION)

    def design(features: Tensor) -> Tensor:
        scaled = (features.double() - mean) / deviation
        return torch.cat([scaled, torch.ones_like(scaled[:, :1])], dim=1)

    inputs = design(both)
    domain = torch.cat([torch.zeros(len(source)), torch.ones(len(target))]).to(inputs)
    penalty = _PENALTY * torch.eye(inputs.shape[1]).to(inputs)
    penalty[-1, -1] = 0
    weights = torch.zeros(inputs.shape[1]).to(inputs)
    for _ in range(_NEWTON_STEPS):
        chance = torch.sigmoid(inputs @ weights)
        gradient = inputs.T @ (chance - domain) + penalty @ weights
        curvature = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + penalty
        curvature += 1e-8 * torch.eye(len(weights)).to(inputs)
        weights = weights - torch.linalg.solve(curvature, gradient)
    return len(source) / len(target) * torch.exp(design(rows) @ weights)
