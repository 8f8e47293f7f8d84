"""Rules that choose among the search trials of a cell, and what each of them would have cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from uda_study.errors import InputError
from uda_study.study import selection
from uda_study.study.schema_errors import nearest

RANK_AVERAGE, ORACLE, PUBLISHED = "blind/rank_avg", "oracle/dice", "published"
"""``published`` takes trial 0, which has the published setting: no choice at all."""


@dataclass(frozen=True)
class Price:
    """What a rule chooses in the cells of one direction, in test Dice of search trials.

    ``dice`` is the mean over cells of what it chooses, ``regret`` that of what `ORACLE` chooses
    from the same trials, minus it. ``spearman`` is the mean rank correlation of the rule's score
    with the trials' test Dice; None where it has no score of its own or a cell has under 3 trials.
    """

    rule: str
    cells: int
    dice: float
    regret: float
    spearman: float | None


def rule_of(text: str, columns: Sequence[str]) -> str:
    """Return the rule that a user names: ``snd``, ``blind/snd``, ``rank_avg`` or ``oracle``.

    Raises `InputError` for a score that the trainings do not have.
    """
    known = [RANK_AVERAGE, PUBLISHED, *(name for name in columns if name.startswith("blind/"))]
    known += [name for name in columns if name.startswith("oracle/")]
    for name in (text, f"blind/{text}", f"{text}/dice"):
        if name in known:
            return name
    short = [name.removeprefix("blind/") for name in known]
    raise InputError.of("--select", "no such rule or score", repr(text), nearest(text, short))


def choose(rule: str, trials: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the key of the trial that the rule chooses; None where it can choose none."""
    return next(iter(ranking(rule, trials)), None)


def ranking(rule: str, trials: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys of the trials that the rule may choose, best first."""
    if rule == RANK_AVERAGE:
        return selection.ranking(trials)
    if rule == PUBLISHED:
        first = [t for t in trials if int(t["number"]) == 0 and t["status"] == "complete"]
        return [str(trial["key"]) for trial in first]
    return selection.ranking_by(trials, rule)


def prices(runs: pd.DataFrame, dice: Mapping[str, float]) -> dict[str, list[Price]]:
    """Return the price of every rule by direction, the smallest regret first.

    ``runs`` is the runs' table and ``dice`` the mean test Dice of each training by its key. A rule
    counts where it can choose in all cells of a direction in which the oracle can.
    """
    search = runs[runs["kind"] == "search"]
    found = {}
    for direction, group in search.groupby("direction", sort=True):
        cells = [
            [{str(name): value for name, value in row.items()} for row in part.to_dict("records")]
            for _, part in group.groupby(["study", "cell"], sort=True)
        ]
        cells = [trials for trials in cells if choose(ORACLE, trials) in dice]
        rules = [RANK_AVERAGE, PUBLISHED, *(c for c in group.columns if c.startswith("blind/"))]
        priced = [price for rule in rules for price in _price(rule, cells, dice)]
        found[str(direction)] = sorted(priced, key=lambda price: (price.regret, price.rule))
    return {direction: rows for direction, rows in found.items() if rows}


def _price(
    rule: str, cells: Sequence[Sequence[Mapping[str, Any]]], dice: Mapping[str, float]
) -> Iterator[Price]:
    chosen = [choose(rule, trials) for trials in cells]
    if not cells or not all(key in dice for key in chosen):
        return
    mine = [dice[str(key)] for key in chosen]
    best = [dice[str(choose(ORACLE, trials))] for trials in cells]
    ranks = [_spearman(rule, trials, dice) for trials in cells]
    known = [value for value in ranks if value is not None]
    yield Price(
        rule,
        len(cells),
        float(np.mean(mine)),
        # Without the last digits, in which equal means may differ by their order.
        round(float(np.mean(best)) - float(np.mean(mine)), 9) + 0.0,
        float(np.mean(known)) if known else None,
    )


def _spearman(
    rule: str, trials: Sequence[Mapping[str, Any]], dice: Mapping[str, float]
) -> float | None:
    pairs = [
        (float(trial[rule]), dice[str(trial["key"])])
        for trial in trials
        if rule in trial and pd.notna(trial[rule]) and str(trial["key"]) in dice
    ]
    scores, tests = np.array(pairs).reshape(-1, 2).T
    if len(pairs) < 3 or len(set(scores)) < 2 or len(set(tests)) < 2:
        return None
    return float(stats.spearmanr(scores, tests).statistic)
