"""How long a training step takes on this machine, found by doing one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from uda_study import plugins
from uda_study.method import Batch, Method, Stage
from uda_study.study.hyper import hyper_names, resolve_hyper
from uda_study.study.trial import TrialSpec
from uda_study.training.step import Stepper, begin_stage
from uda_study.types import Task

SHARED = "segmenter"
# The steps before the players are joined are cheaper; those after them are most of a training.
_WARM_UP = "critic.warm_up"


def measure(trials: Sequence[TrialSpec], task: Task) -> dict[str, float]:
    """Return the seconds per step on one thread of the CPU, by method and of a shared stage.

    Each method does one step on noise to warm up and one that is timed, as in its first trial.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found: dict[str, float] = {}
    try:
        for trial in {trial.method: trial for trial in reversed(trials)}.values():
            plugin = plugins.load("methods", trial.method, Method)
            names = {_WARM_UP: 0} if _WARM_UP in hyper_names(plugin) else {}
            method: Method[Any] = plugin(resolve_hyper(plugin, {**trial.params, **names}), task)
            for stage in method.stages():
                name = trial.method if stage.shared is None else SHARED
                if name not in found:
                    found[name] = _time(stage, task)
    finally:
        torch.set_num_threads(threads)
    return found


def _time(stage: Stage, task: Task) -> float:
    size = stage.batch_size
    image = torch.randn(size, task.in_channels, *task.patch_size)
    label = torch.randint(task.num_classes, (size, *task.patch_size))
    batch = Batch(image, label, image, label)
    begin_stage(stage, seed=0)
    stepper = Stepper(stage.trainable, stage.name)
    stepper.step(lambda: batch)
    started = time.perf_counter()
    stepper.step(lambda: batch)
    return time.perf_counter() - started
