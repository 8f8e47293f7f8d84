"""Adversarial losses: what a critic and its opponent minimise, from the critic's scores.

Scores have any shape; the mean is over all of them.
"""

from __future__ import annotations

import torch.nn.functional as F
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


def log_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Return - 1/2 E[log D(real)] - 1/2 E[log(1 - D(fake))] of logits (Goodfellow 2014, eq. 1).

    >>> import torch
    >>> round(float(log_critic(torch.tensor([0.0]), torch.tensor([0.0]))), 4)
    0.6931
    """
    return 0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())


def log_generator(fake: Tensor) -> Tensor:
    """Return - E[log D(fake)] of logits, which does not saturate (Goodfellow 2014, section 3).

    >>> import torch
    >>> round(float(log_generator(torch.tensor([0.0]))), 4)
    0.6931
    """
    return F.softplus(-fake).mean()


def separation(real: Tensor, fake: Tensor) -> Tensor:
    """Return E[D(real)] - E[D(fake)] in units of the scores' spread within a domain.

    Scores of critics with different settings can be compared by it; 0 where D cannot tell.

    >>> import torch
    >>> float(separation(torch.tensor([1.0, 3.0]), torch.tensor([-1.0, 1.0])))
    2.0
    """
    spread = (real.var(correction=0) + fake.var(correction=0)).div(2).sqrt()
    return (real.mean() - fake.mean()) / spread.clamp_min(_SMALLEST_SPREAD)


_SMALLEST_SPREAD = 1e-6
