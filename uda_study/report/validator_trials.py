"""The finished search trials as rules see them: their order within each cell, and test Dice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from uda_study.study import rules, selection


@dataclass(frozen=True)
class Cell:
    """The finished search trials of one cell that were tested, as records, and their Dice."""

    study: str
    name: str
    trials: tuple[Mapping[str, Any], ...]
    dice: Mapping[str, float]

    @property
    def best(self) -> float:
        """The highest test Dice among them."""
        return max(self.dice[str(trial["key"])] for trial in self.trials)

    def chosen(self, rule: str) -> str | None:
        """Return the trial that the rule chooses."""
        return rules.choose(rule, self.trials)

    def chosen_dice(self, rule: str) -> float | None:
        """Return the test Dice of the trial that the rule chooses."""
        key = self.chosen(rule)
        return None if key is None else self.dice[key]

    def scores(self, rule: str) -> dict[str, float]:
        """Return what the rule orders the trials by, higher is better; empty where it cannot."""
        if rule == rules.RANK_AVERAGE:
            order = selection.ranking(self.trials)
            return {key: float(-place) for place, key in enumerate(order)}
        return {
            str(trial["key"]): float(trial[rule])
            for trial in self.trials
            if rule in trial and pd.notna(trial[rule]) and math.isfinite(float(trial[rule]))
        }


@dataclass(frozen=True)
class Point:
    """A trial in a rule's scatter: its place in the cell, 0 the last and 1 the first, or score."""

    cell: str
    x: float
    dice: float
    lost: float
    chosen: bool
    oracle: bool


def search_cells(
    runs: pd.DataFrame, dice: Mapping[str, float]
) -> dict[tuple[str, str], list[Cell]]:
    """Return the cells of every (dataset, direction) that have a tested search trial."""
    search = runs[(runs["kind"] == "search") & (runs["status"] == "complete")]
    search = search[search["key"].isin(dice.keys())].sort_values(["study", "cell", "number"])
    found: dict[tuple[str, str], list[Cell]] = {}
    for (dataset, direction, study, cell), part in search.groupby(
        ["dataset", "direction", "study", "cell"], sort=True
    ):
        records = [
            {str(name): value for name, value in record.items()}
            for record in part.to_dict("records")
        ]
        found.setdefault((str(dataset), str(direction)), []).append(
            Cell(str(study), str(cell), tuple(records), dice)
        )
    return found


def points(cells: Sequence[Cell], rule: str) -> list[Point]:
    """Return the trials that the rule can order, of cells in which it can order two or more.

    With several cells x is the place within the cell, ties sharing theirs, since scores of
    different cells cannot be compared; with one cell it is the score, or for the rank average the
    place.
    """
    found = []
    for cell in cells:
        scores = cell.scores(rule)
        if len(scores) < 2:
            continue
        values = list(scores.values())
        raw = len(cells) == 1 and rule != rules.RANK_AVERAGE
        xs = values if raw else ((stats.rankdata(values) - 1) / (len(values) - 1)).tolist()
        chosen, oracle = cell.chosen(rule), cell.chosen(rules.ORACLE)
        found += [
            Point(
                cell.name, float(x), cell.dice[key], cell.dice[key] - cell.best, key == chosen,
                key == oracle,
            )
            for key, x in zip(scores, xs, strict=True)
        ]  # fmt: skip
    return found


def worst_regret(cells: Sequence[Cell], rule: str) -> float | None:
    """Return the largest regret of a cell against the oracle's choice; None where none is known."""
    lost = [
        best - mine
        for cell in cells
        if (best := cell.chosen_dice(rules.ORACLE)) is not None
        and (mine := cell.chosen_dice(rule)) is not None
    ]
    return float(np.max(lost)) if lost else None
