"""The Optuna search of one cell, by ask and tell, exactly repeatable from what was told."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import TrialState

from uda_study.study.model import CategoricalParameter, FloatParameter, Parameter, SearchSpec
from uda_study.study.space import Space
from uda_study.study.trial import Status
from uda_study.training.step import derive_seed
from uda_study.types import JSON

optuna.logging.set_verbosity(optuna.logging.WARNING)

# An early-stopped setting is pruned with the value it reached. A diverged one is pruned too: with
# no value it counts as worse than all others, and the sampler learns to stay away.
_STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


class CellSearch:
    """Proposes settings for one cell and learns from what they scored.

    The ``first`` settings (the published one, then the enqueued) come before the sampler's. The
    same questions and answers in the same order give the same settings.
    """

    def __init__(
        self,
        name: str,
        space: Space,
        spec: SearchSpec,
        first: Sequence[Mapping[str, JSON]],
        maximise: bool = True,
    ) -> None:
        self.name = name
        self.space = space
        self.spec = spec
        self.first = first
        self._study = optuna.create_study(
            study_name=name, direction="maximize" if maximise else "minimize"
        )
        self._open: dict[int, optuna.Trial] = {}
        self._latest: dict[int, tuple[int, float]] = {}

    def ask(self, number: int) -> dict[str, JSON]:
        """Return the setting of the cell's trial ``number``, whose sampler is seeded by it."""
        if number < len(self.first):
            params = dict(self.first[number])
            self.take(number, params)
            return params
        self._study.sampler = self._sampler(derive_seed(self.spec.seed, self.name, number))
        draft = self._study.ask()
        params = self._suggest_all(draft)
        # A drawn trial also remembers what it drew for inactive parameters, which nothing told
        # later could bring back: it is dropped, and the setting registered as any other.
        self._study.tell(draft, state=TrialState.FAIL)
        self.take(number, params)
        return params

    def take(self, number: int, params: Mapping[str, JSON]) -> None:
        """Register a setting that was chosen elsewhere, e.g. before an interruption.

        A setting outside of the space is run, but the sampler cannot learn from it.
        """
        if not self.space.contains(params):
            return
        self._study.enqueue_trial(dict(params))
        self._study.sampler = optuna.samplers.RandomSampler(seed=0)  # nothing is left to draw
        trial = self._study.ask()
        self._suggest_all(trial)
        self._open[number] = trial

    def report(self, number: int, step: int, value: float) -> None:
        """Note an intermediate value: what the trial is worth should it be stopped early."""
        self._latest[number] = step, value

    def tell(self, number: int, status: Status, value: float | None) -> None:
        """Close the trial ``number``; a complete one needs its final value."""
        trial = self._open.pop(number, None)
        if trial is None:
            return
        state = _STATES[status]
        if status == "pruned" and number in self._latest:
            step, reached = self._latest[number]
            trial.report(reached, step)
        self._study.tell(trial, value if state is TrialState.COMPLETE else None, state=state)

    def _suggest_all(self, trial: optuna.Trial) -> dict[str, JSON]:
        params: dict[str, JSON] = {}
        for name in self.space.order:
            if self.space.is_active(name, params):
                params[name] = _suggest(trial, name, self.space.parameters[name])
        return params

    def _sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        seed %= 2**32
        if self.spec.alg == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        with warnings.catch_warnings():
            # ``group`` is what makes conditional parameters work with a multivariate TPE.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.TPESampler(
                # A quarter of a small budget explores; Optuna's 10 would leave TPE nothing to do.
                # What number 5 proposes is no matter of how many follow in an extension.
                n_startup_trials=max(2, min(10, self.spec.first_samples // 4)),
                multivariate=True,
                group=True,
                constant_liar=True,
                seed=seed,
            )


def _suggest(trial: optuna.Trial, name: str, parameter: Parameter) -> Any:
    if isinstance(parameter, CategoricalParameter):
        choices: Sequence[Any] = parameter.choices
        return trial.suggest_categorical(name, choices)
    if isinstance(parameter, FloatParameter):
        return trial.suggest_float(
            name, parameter.low, parameter.high, log=parameter.log, step=parameter.step
        )
    return trial.suggest_int(
        name, parameter.low, parameter.high, log=parameter.log, step=parameter.step
    )
