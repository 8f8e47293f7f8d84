"""What a smaller or larger search would have brought, from the trials of one.

Random trials are exchangeable, so the expectation over all subsets of a size is known exactly
(Dodge et al., "Show your work", EMNLP 2019; without replacement: Tang et al., "Showing your work
doesn't always work", ACL 2020). Trials that a sampler proposed after seeing others are not: of
those only what happened, in its order, can be told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from uda_study.study import rules, selection


@dataclass(frozen=True)
class Tunability:
    """Test Dice of three search trials of a cell; None where that trial has none.

    ``published`` has the published setting, ``blind`` is what the study's rule chose and ``best``
    what target validation labels would have chosen. What is ``best`` beyond ``published`` is the
    tunability (Probst et al., JMLR 2019), in Dice.
    """

    method: str
    cell: str
    statuses: Mapping[str, int]
    published: float | None
    blind: float | None
    best: float | None


def expected_choice(chosen_last: Sequence[float], drawn: int, n: int) -> float:
    """Return the mean value of the trial chosen among ``n`` of ``drawn`` trials, over all subsets.

    ``chosen_last`` holds the values of the finished trials, in the order in which they are
    preferred, the favourite last; sorted by value it gives the expected best. The other ``drawn``
    trials have no value and are never chosen: subsets of them alone do not count. With all
    finished this is E_n = sum over i of x_(i) C(i-1, n-1) / C(N, n). Raises ValueError for ``n``
    outside 1..``drawn`` and where nothing is finished.
    """
    valueless = drawn - len(chosen_last)
    if not 1 <= n <= drawn or valueless < 0 or not chosen_last:
        raise ValueError(f"{n} of {drawn} trials, {len(chosen_last)} of them finished")
    # How many subsets have this trial as their favourite: all others come from before it.
    subsets = [math.comb(valueless + place, n - 1) for place in range(len(chosen_last))]
    total = math.fsum(c * x for c, x in zip(subsets, chosen_last, strict=True) if c)
    return total / sum(subsets)


def largest_budget(drawn: int) -> int:
    """Return the largest n that a curve shows: half of the trials.

    Beyond it the estimate hangs on the few best trials (Tang et al. 2020).
    """
    return drawn // 2


def preference(rule: str, trials: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys of the trials that a study's selection rule can choose, the favourite last.

    The order among all trials stands for that within a subset, which an average of ranks can
    change.
    """
    average = rule == rules.RANK_AVERAGE
    found = selection.ranking(trials) if average else selection.ranking_by(trials, rule)
    return found[::-1]


def running_choice(
    rule: str, trials: Sequence[Mapping[str, Any]], dice: Mapping[str, float]
) -> list[float]:
    """Return the Dice of what the rule would have chosen after 1, 2, ... of the trials.

    NaN as long as nothing can be chosen, or where what is chosen has no Dice.
    """
    ordered = sorted(trials, key=lambda trial: int(trial["number"]))
    chosen = [rules.choose(rule, ordered[: count + 1]) for count in range(len(ordered))]
    return [math.nan if key is None else dice.get(key, math.nan) for key in chosen]


def tunability(runs: pd.DataFrame, dice: Mapping[str, float]) -> list[Tunability]:
    """Return what tuning was worth in each cell; ``dice`` is the test Dice of trainings by key."""
    search = runs[runs["kind"] == "search"].sort_values(["method", "cell", "number"])
    rows = []
    for (method, name), cell in search.groupby(["method", "cell"], sort=True):
        trials = [{str(k): v for k, v in row.items()} for row in cell.to_dict("records")]
        rule = str(cell["selection"].iloc[0])
        published, blind, best = (
            dice.get(str(rules.choose(by, trials))) for by in (rules.PUBLISHED, rule, rules.ORACLE)
        )
        counts = {str(status): int(n) for status, n in cell["status"].value_counts().items()}
        rows.append(Tunability(str(method), str(name), counts, published, blind, best))
    return rows
