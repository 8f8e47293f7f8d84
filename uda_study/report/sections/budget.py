"""What a larger or a smaller search would have brought."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from uda_study.report.budget_plot import BudgetCurve, budget_figure
from uda_study.report.section import Exhibit, Material, Section
from uda_study.report.table_words import counted, row_names, table_title
from uda_study.study.board import Table
from uda_study.study.budget_curve import (
    expected_choice,
    largest_budget,
    preference,
    running_choice,
)
from uda_study.study.leaderboard import mean_dice
from uda_study.study.rules import ORACLE

Trials = Sequence[Mapping[str, Any]]


def section(material: Material) -> Section | None:
    """Show a figure for every table in which a search has a trial with a test Dice."""
    dice = mean_dice(material.cases)
    random = material.spec["search"]["alg"] == "random"
    # The published setting and those of the file come before the drawn ones.
    given = 1 + len(material.spec["enqueue"])
    exhibits = []
    for table in material.board.tables:
        cells = _cells(material.runs, table)
        curves = [
            _expected(name, trials, dice, given) if random else _realised(name, trials, dice)
            for name, trials in cells.items()
        ]
        if any(math.isfinite(v) for curve in curves for v in (*curve.best, *curve.trials)):
            exhibits.append(_exhibit(curves, table, cells, given, random=random))
    if not exhibits:
        return None
    return Section(
        "What more trials would bring",
        "A line that still rises says that the search was short; one that is flat, that more "
        "trials would bring little. The distance between the lines is lost by choosing blindly. "
        "All of it is one seed on fold 0, and no result of a method.",
        tuple(exhibits),
    )


def _cells(runs: pd.DataFrame, table: Table) -> dict[str, Trials]:
    """Return the search trials of every row by its name, in their order."""
    rows = [row for row in table.rows if row.role == "method"]
    search = runs[runs["kind"] == "search"].sort_values("number")
    found: dict[str, Trials] = {}
    for row, name in zip(rows, row_names(rows), strict=True):
        cell = search[(search["study"] == row.study) & (search["cell"] == row.cell)]
        if len(cell):
            found[name] = [{str(k): v for k, v in r.items()} for r in cell.to_dict("records")]
    return found


def _expected(name: str, trials: Trials, dice: Mapping[str, float], given: int) -> BudgetCurve:
    drawn = [trial for trial in trials if int(trial["number"]) >= given]
    order = preference(str(trials[0]["selection"]), drawn)
    blind = [dice[key] for key in order if key in dice]
    budgets = range(1, largest_budget(len(drawn)) + 1) if blind else []
    return BudgetCurve(
        title=name,
        remark=f"{len(blind)} of {len(drawn)} drawn finished",
        blind=[expected_choice(blind, len(drawn), n) for n in budgets],
        best=[expected_choice(sorted(blind), len(drawn), n) for n in budgets],
        published=_published(trials, dice),
    )


def _realised(name: str, trials: Trials, dice: Mapping[str, float]) -> BudgetCurve:
    values = [
        dice.get(str(trial["key"]), math.nan) if trial["status"] == "complete" else math.nan
        for trial in trials
    ]
    return BudgetCurve(
        title=name,
        remark=f"{sum(map(math.isfinite, values))} of {counted(len(trials), 'trial')} finished",
        blind=running_choice(str(trials[0]["selection"]), trials, dice),
        best=running_choice(ORACLE, trials, dice),
        published=_published(trials, dice),
        trials=values,
    )


def _published(trials: Trials, dice: Mapping[str, float]) -> float | None:
    first = [t for t in trials if int(t["number"]) == 0 and t["status"] == "complete"]
    return dice.get(str(first[0]["key"])) if first else None


def _exhibit(
    curves: Sequence[BudgetCurve],
    table: Table,
    cells: Mapping[str, Trials],
    given: int,
    *,
    random: bool,
) -> Exhibit:
    title = table_title(table)
    trials = sum(map(len, cells.values()))
    facts = f"{counted(len(cells), 'cell')}, {counted(trials, 'search trial')}"
    if random:
        caption = (
            f"{title}, {facts}: expected test Dice of the trial chosen among n random ones, over "
            "all subsets of n of the drawn trials and up to half of them (Dodge et al. 2019, "
            "Tang et al. 2020). The best of n looks at the test itself. The "
            f"{'published setting was' if given == 1 else 'settings given beforehand were'} not "
            "drawn and left out of the lines. Trials that were stopped early, diverged or failed "
            "count as drawn, but are never chosen; subsets of such trials alone are left out."
        )
        best = "best of n, by the test itself"
    else:
        caption = (
            f"{title}, {facts}: test Dice of what the study's rule would have chosen after each "
            "trial, beside what target validation labels would have chosen. The sampler proposed "
            "each trial after seeing those before it, so their order cannot be exchanged: this is "
            "the one course that the search took, and no expectation. Target validation labels "
            "need not choose what is best on the test subjects."
        )
        best = "chosen by target validation labels"
    figure = budget_figure(curves, f"Search budget: {title}", facts, best, expected=random)
    return Exhibit(caption, figure)
