"""No setting is tested twice on the same fold with the same seed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from uda_study.study.checks import Check
from uda_study.study.trial import TrialSpec


def check_once(trials: Iterable[TrialSpec]) -> Check | None:
    """Return whether every confirmation and baseline is the only one of its method, fold and seed.

    ``trials`` are those planned and those that the journal knows; equal ones count once. None while
    there is none that could be.
    """
    ranked = {trial.key: trial for trial in trials if trial.kind != "search"}
    seen = Counter(_what(trial) for trial in ranked.values())
    twice = [what for what, count in seen.items() if count > 1]
    if twice:
        named = "; ".join(f"{cell}, seed {seed}, fold {fold}" for _, cell, _, fold, seed in twice)
        return Check("test set", False, f"would be evaluated twice: {named}")
    said = f"once for each setting, fold and seed ({len(seen)} known so far)"
    return Check("test set", True, said) if seen else None


def _what(trial: TrialSpec) -> tuple[str, str, str, int, int]:
    params = json.dumps(dict(trial.params), sort_keys=True)
    return trial.kind, trial.cell, params, trial.fold, trial.seed
