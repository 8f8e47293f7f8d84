"""Adversarial losses: what a critic and its opponent minimise, from the critic's scores.

Scores have any shape; the mean is over all of them.
"""

from __future__ import annotations

from torch import Tensor


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Return E[D(fake)] - E[D(real)], minus the estimated distance (Dou et al. 2018, eq. 6).

    >>> import torch
    >>> float(wasserstein_critic(torch.tensor([3.0, 1.0]), torch.tensor([0.5])))
    -1.5
    """
    return fake.mean() - real.mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    """Return - E[D(fake)] (Dou et al. 2018, eq. 5).

    >>> import torch
    >>> float(wasserstein_generator(torch.tensor([0.5, 1.5])))
    -1.0
    """
    return -fake.mean()


def least_squares_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Return 1/2 E[(D(real) - 1)^2] + 1/2 E[D(fake)^2] (Mao et al. 2017, eq. 9).

    >>> import torch
    >>> float(least_squares_critic(torch.tensor([0.0]), torch.tensor([1.0])))
    1.0
    """
    return 0.5 * ((real - 1).square().mean() + fake.square().mean())


def least_squares_generator(fake: Tensor) -> Tensor:
    """Return 1/2 E[(D(fake) - 1)^2] (Mao et al. 2017, eq. 9).

    >>> import torch
    >>> float(least_squares_generator(torch.tensor([0.0])))
    0.5
    """
    return 0.5 * (fake - 1).square().mean()
