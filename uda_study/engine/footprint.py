"""How large what a method writes is, found by building it without memory for its weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from uda_study import plugins
from uda_study.method import Method, Stage
from uda_study.study.cells import resolve_hyper
from uda_study.study.disk import Sizes
from uda_study.study.trial import TrialSpec
from uda_study.types import Task

_PROBE = 7


def sizes(trials: Sequence[TrialSpec], task: Task) -> dict[str, Sizes]:
    """Return the sizes by method, the largest of its trials."""
    found: dict[str, Sizes] = {}
    for trial in trials:
        one, known = _sizes(trial, task), found.get(trial.method, Sizes(0, 0, 0))
        found[trial.method] = Sizes(
            max(one.model, known.model),
            max(one.checkpoint, known.checkpoint),
            max(one.stage, known.stage),
        )
    return found


def _sizes(trial: TrialSpec, task: Task) -> Sizes:
    plugin = plugins.load("methods", trial.method, Method)
    with torch.device("meta"):
        method: Method[Any] = plugin(resolve_hyper(plugin, trial.params), task)
        model = _bytes(method)
        stages = method.stages()
        moments = [_moments(stage) for stage in stages]
    shared = [_bytes(stage.trainable) for stage in stages if stage.shared is not None]
    return Sizes(model, model + max(moments, default=0), sum(shared))


def _bytes(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in module.state_dict().values())


def _moments(stage: Stage) -> int:
    """Return the bytes that the optimisers of a stage keep beside the weights."""
    optimisers = [player.optimiser for player in stage.trainable.players().values()]
    total = 0
    for optimiser in optimisers:
        weights = [weight for group in optimiser.param_groups for weight in group["params"]]
        total += _kept_per_weight(optimiser) * sum(weight.nbytes for weight in weights)
    return total


def _kept_per_weight(optimiser: Optimizer) -> int:
    """Return how many tensors of a weight's size the optimiser keeps, by a step on a small one."""
    weight = nn.Parameter(torch.zeros(_PROBE, device="cpu"))
    weight.grad = torch.zeros_like(weight)
    kind: Any = type(optimiser)
    twin = kind([weight], **optimiser.defaults)
    twin.step()
    return sum(
        isinstance(value, torch.Tensor) and value.numel() == _PROBE
        for value in twin.state[weight].values()
    )
