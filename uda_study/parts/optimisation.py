"""Optimiser groups and learning rate schedules that the methods share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

Factor = Callable[[int], float]
"""The learning rate at a step as a multiple of the initial one."""


def decay_convolutions(
    parameters: Iterable[nn.Parameter], weight_decay: float
) -> list[dict[str, Any]]:
    """Return optimiser groups in which convolution and linear weights alone have an L2 term."""
    known = list(parameters)
    weights = [parameter for parameter in known if parameter.dim() > 1]
    others = [parameter for parameter in known if parameter.dim() <= 1]
    groups = [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def stepped(decay: float, every: int, start: int = 0) -> Factor:
    """Return the factor that is multiplied by ``decay`` every ``every`` steps after ``start``.

    >>> [stepped(0.5, every=2, start=1)(step) for step in range(6)]
    [1.0, 1.0, 1.0, 0.5, 0.5, 0.25]
    """
    return lambda step: decay ** (max(0, step - start) // every)


def cosine(steps: int) -> Factor:
    """Return the factor that falls from 1 to 0 along half a cosine.

    >>> [round(cosine(4)(step), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """
    return lambda step: 0.5 * (1 + math.cos(math.pi * min(step, steps) / steps))


def constant_then_linear(steps: int, constant: float) -> Factor:
    """Return the factor that stays 1 for a share ``constant`` of the steps and then falls to 0.

    >>> [constant_then_linear(4, constant=0.5)(step) for step in range(5)]
    [1.0, 1.0, 1.0, 0.5, 0.0]
    """
    falling = steps * (1 - constant)
    return lambda step: min(1.0, max(0.0, (steps - step) / falling)) if falling > 0 else 1.0


class Schedule(LRScheduler):
    """Multiplies each group's initial learning rate by a factor of the step.

    Unlike PyTorch's own it may run before its optimiser's first step: a player may wait.
    """

    def __init__(self, optimiser: Optimizer, factor: Factor) -> None:
        self.factor = factor
        super().__init__(optimiser)

    def get_lr(self) -> list[float | Tensor]:
        """Return the learning rate of each group at the present step."""
        return [float(base) * self.factor(self.last_epoch) for base in self.base_lrs]

    def step(self, epoch: int | None = None) -> None:
        """Go one step on, or to the step ``epoch``."""
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        rates = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = rates

    def state_dict(self) -> dict[str, Any]:
        """Return the present step."""
        return {"last_epoch": self.last_epoch, "base_lrs": self.base_lrs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.base_lrs = state_dict["base_lrs"]
        self.step(state_dict["last_epoch"])
