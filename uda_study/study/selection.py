"""Choose a setting among the finished trials of a cell, without target labels.

A trial is a record of flat names: ``key``, ``number``, ``status`` and its scores
(``blind/entropy``, ``oracle/dice``, …), as in the rows of the runs' table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scipy import stats

Record = Mapping[str, Any]

VALIDATORS = ("blind/entropy", "blind/entropy_fg", "blind/consistency", "blind/critic_w")
"""What the default rule averages; ``critic_w`` exists only for methods that have a critic."""


def ranking(trials: Sequence[Record], validators: Sequence[str] = VALIDATORS) -> list[str]:
    """Return the keys of the complete trials, best first, by the average of their ranks.

    Each validator ranks the trials (higher is better, ties share their mean rank); one that is
    missing or not finite in any of them is left out for all. Ties are broken by ``blind/score``,
    then by the trial's number: the earlier one wins. Pruned, diverged and failed trials are
    never chosen.
    """
    complete = [trial for trial in trials if trial["status"] == "complete"]
    usable = [name for name in validators if all(_finite(trial, name) for trial in complete)]
    columns = [_ranks([float(trial[name]) for trial in complete]) for name in usable]
    average = [sum(ranks) / len(ranks) if ranks else 0.0 for ranks in _rows(columns, complete)]
    order = sorted(
        zip(average, complete, strict=True),
        key=lambda pair: (pair[0], -_or_worst(pair[1], "blind/score"), int(pair[1]["number"])),
    )
    return [str(trial["key"]) for _, trial in order]


def ranking_by(trials: Sequence[Record], score: str) -> list[str]:
    """Return the keys of the complete trials that have the score, highest first."""
    known = [t for t in trials if t["status"] == "complete" and _finite(t, score)]
    order = sorted(known, key=lambda trial: (-float(trial[score]), int(trial["number"])))
    return [str(trial["key"]) for trial in order]


def _ranks(values: Sequence[float]) -> list[float]:
    """Return ranks from 1 for the highest; equal values share the mean of their ranks."""
    return [float(rank) for rank in stats.rankdata([-value for value in values])]


def _rows(columns: Sequence[Sequence[float]], rows: Sequence[Record]) -> list[list[float]]:
    return [[column[index] for column in columns] for index in range(len(rows))]


def _finite(trial: Record, name: str) -> bool:
    value = trial.get(name)
    return value is not None and math.isfinite(float(value))


def _or_worst(trial: Record, name: str) -> float:
    return float(trial[name]) if _finite(trial, name) else -math.inf
