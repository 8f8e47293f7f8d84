"""Asynchronous successive halving (ASHA) within one cell, by Ray's scheduler."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler

from uda_study.study.model import SchedulerSpec

_METRIC, _STEP = "value", "step"


class Halving:
    """Says which trainings of a cell to stop early; the same reports give the same decisions.

    Ray's scheduler is asked directly and sees the trials of one cell alone, so that cells never
    compete with each other.
    """

    def __init__(self, spec: SchedulerSpec, steps: int, maximise: bool = True) -> None:
        self._steps = spec.max_t or steps
        self._trials: dict[str, Any] = {}
        # Its methods want a controller, which it never looks at.
        self._scheduler: Any = None
        if spec.type == "asha":
            self._scheduler = AsyncHyperBandScheduler(
                time_attr=_STEP,
                metric=_METRIC,
                mode="max" if maximise else "min",
                max_t=self._steps,
                grace_period=min(spec.grace_period or max(1, self._steps // 5), self._steps),
                reduction_factor=spec.reduction_factor,
                stop_last_trials=False,
            )

    def stops(self, key: str, step: int, value: float) -> bool:
        """Note a report and return whether the training should end here, before its last step."""
        if self._scheduler is None:
            return False
        if key not in self._trials:
            self._trials[key] = SimpleNamespace(trial_id=key)
            self._scheduler.on_trial_add(None, self._trials[key])
        decision = self._scheduler.on_trial_result(
            None, self._trials[key], {_STEP: step, _METRIC: value}
        )
        return bool(decision == AsyncHyperBandScheduler.STOP) and step < self._steps
