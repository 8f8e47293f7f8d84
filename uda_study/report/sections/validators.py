"""What choosing settings without target labels cost, and which score would have chosen better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from uda_study.report.page_style import table
from uda_study.report.price_plot import PricedCell, price_figure
from uda_study.report.rank_correlation import HOW, Correlation, spearman
from uda_study.report.section import Exhibit, Material, Section
from uda_study.report.table_words import counted, row_names, signed
from uda_study.report.validator_plot import validator_figure
from uda_study.report.validator_trials import Cell, Point, points, search_cells, worst_regret
from uda_study.study.leaderboard import mean_dice
from uda_study.study.rules import ORACLE, PUBLISHED, RANK_AVERAGE, Price, prices

Scatters = dict[str, tuple[Sequence[Point], Correlation]]


def section(material: Material) -> Section | None:
    """Show prices, scatters and regrets where a cell has two tested search trials or more."""
    runs, dice = material.runs, mean_dice(material.cases)
    exhibits: list[Exhibit] = []
    for (dataset, direction), cells in search_cells(runs, dice).items():
        if max(len(cell.trials) for cell in cells) < 2:
            continue
        title = f"{dataset} {direction.replace('->', ' → ')}"
        here = runs[(runs["dataset"] == dataset) & (runs["direction"] == direction)]
        rule = str(here["selection"].iloc[0])
        found, constant = _scatters(here, cells, rule)
        exhibits.append(_prices(cells, _names(material, dataset, direction), rule, title))
        if found:
            exhibits.append(_scatter_exhibit(found, constant, cells, rule, title))
        exhibits += _regrets(prices(here, dice).get(direction, []), found, cells, rule, title)
    if not exhibits:
        return None
    return Section(
        "Choosing without labels",
        "Within each cell the rule chose among the finished search trials, without a target label. "
        "Test Dice of the same trials tells afterwards what that cost. All of it is one seed on "
        "fold 0, and no result of a method.",
        tuple(exhibits),
    )


def _names(material: Material, dataset: str, direction: str) -> dict[tuple[str, str], str]:
    rows = [
        row
        for table in material.board.tables
        if (table.dataset, table.direction) == (dataset, direction)
        for row in table.rows
        if row.role == "method"
    ]
    return {(row.study, row.cell): name for row, name in zip(rows, row_names(rows), strict=True)}


def _prices(
    cells: Sequence[Cell], names: Mapping[tuple[str, str], str], rule: str, title: str
) -> Exhibit:
    rows = [
        PricedCell(
            name=names.get((cell.study, cell.name), cell.name),
            trials=[cell.dice[str(trial["key"])] for trial in cell.trials],
            chosen=cell.chosen_dice(rule),
            oracle=cell.chosen_dice(ORACLE),
            published=cell.chosen_dice(PUBLISHED),
        )
        for cell in cells
    ]
    rows.sort(key=lambda row: -np.inf if row.chosen is None else row.chosen, reverse=True)
    single = sum(len(cell.trials) == 1 for cell in cells)
    caption = (
        f"{title}: the price of choosing blindly, by cell. The rule of the study is "
        f"{_name(rule)}; the oracle chooses by Dice on target validation subjects, which need not "
        "be the best on the test subjects. The price is drawn between the two choices."
    )
    if single:
        caption += f" In {counted(single, 'cell')} one trial was finished, and nothing chosen."
    facts = f"{counted(len(cells), 'cell')}, {counted(_trials(cells), 'finished search trial')}"
    return Exhibit(caption, price_figure(rows, f"Price of choosing blindly: {title}", facts))


def _scatters(runs: pd.DataFrame, cells: Sequence[Cell], rule: str) -> tuple[Scatters, list[str]]:
    """Return points and correlation of every score, the rule's first, and the constant scores."""
    scores = [name for name in runs.columns if name.startswith("blind/")]
    found: Scatters = {}
    constant = []
    for score in dict.fromkeys([rule, RANK_AVERAGE, *scores]):
        shown = points(cells, score)
        correlation = spearman(
            [point.x for point in shown],
            [point.dice for point in shown],
            [point.cell for point in shown],
        )
        if correlation is not None:
            found[score] = (shown, correlation)
        elif shown:
            constant.append(score)
    order = sorted(found, key=lambda name: (name != rule, -found[name][1].rho, name))
    return {name: found[name] for name in order}, constant


def _scatter_exhibit(
    found: Scatters, constant: Sequence[str], cells: Sequence[Cell], rule: str, title: str
) -> Exhibit:
    one = len(cells) == 1
    axes = (
        "score against test Dice (of the rank average the place, 1 the first)"
        if one
        else "the place that the score gives a trial within its cell, against the test Dice that "
        "the trial loses to the best of its cell; scores of different cells cannot be compared"
    )
    caption = (
        f"{title}: {axes}. ρ: Spearman's rank correlation"
        f"{'' if one else ' of ranks within cells, pooled'}, {HOW}. A useful score rises to the "
        f"right. {'First the rule of the study, then' if rule in found else 'Ordered by'} "
        f"{'the others by ρ' if rule in found else 'ρ'}."
    )
    if constant:
        caption += f" The same for all trials of a cell: {', '.join(map(_name, constant))}."
    figure = validator_figure(
        {_name(name): panel for name, panel in found.items()},
        f"Scores without labels: {title}",
        f"{counted(len(cells), 'cell')}, {counted(_trials(cells), 'finished search trial')}",
        one_cell=one,
    )
    return Exhibit(caption, figure)


def _regrets(
    found: Sequence[Price], scatters: Scatters, cells: Sequence[Cell], rule: str, title: str
) -> Iterator[Exhibit]:
    if not found:
        return
    rows = []
    for price in found:
        worst = worst_regret(cells, price.rule)
        rows.append(
            (
                _name(price.rule) + (" (the rule)" if price.rule == rule else ""),
                str(price.cells),
                f"{price.dice:.3f}",
                signed(price.regret),
                "–" if worst is None else signed(worst),
                str(scatters[price.rule][1]) if price.rule in scatters else "–",
            )
        )
    caption = (
        f"{title}: what each score would have chosen from the same trials, the smallest mean "
        "regret first. Regret: test Dice of what target validation labels choose, minus it, so "
        "that a negative one is luck. Spearman: ranks within cells, pooled, with its 95 % "
        "interval. A score that is picked by its regret here has been chosen with target labels."
    )
    head = ("score", "cells", "Dice chosen", "mean regret", "worst regret", "Spearman")
    yield Exhibit(caption, html=table(head, rows))


def _trials(cells: Sequence[Cell]) -> int:
    return sum(len(cell.trials) for cell in cells)


def _name(rule: str) -> str:
    """Return the rule's name as the command line takes it, but for the default rule.

    >>> _name("blind/rank_avg"), _name("blind/snd"), _name("oracle/dice")
    ('rank average', 'snd', 'oracle/dice')
    """
    return "rank average" if rule == RANK_AVERAGE else rule.removeprefix("blind/")
