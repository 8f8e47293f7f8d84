"""Paired differences from the first row, each with its interval and the word for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from uda_study.errors import InputError, Problem
from uda_study.report import style
from uda_study.report.frame import Heading, Mark
from uda_study.report.row_chart import RowPanel, row_chart
from uda_study.report.table_words import signed
from uda_study.study.statistics import ROPE, Interval

_WORSE, _ALIKE = style.LOWER, style.METHOD


@dataclass(frozen=True)
class ForestRow:
    """A row's mean paired difference from the first; ``strong``: the verdict tells them apart."""

    name: str
    difference: float
    interval: Interval
    words: str
    strong: bool = False


def forest_figure(first: str, rows: Sequence[ForestRow], title: str, facts: str) -> style.Picture:
    """Draw the differences below the line of the ``first`` row, whose difference is 0.

    Raises `InputError` without rows or for a difference that is not finite.
    """
    problems = [
        Problem(f"difference of {row.name}", "must be finite", str(row.difference))
        for row in rows
        if not math.isfinite(row.difference)
    ]
    if not rows:
        problems.append(Problem("differences", "needs at least one row"))
    if problems:
        raise InputError(problems)

    def draw(axes: Axes) -> None:
        axes.axvspan(-ROPE, ROPE, color=style.FAINT, linewidth=0, zorder=0.5)
        axes.axvline(0, color=style.QUIET, linewidth=0.8)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 2.5, 5, 10)))
        axes.plot(0, 0, "D", color=style.INK, markersize=4.5)
        for y, row in enumerate(rows, 1):
            colour = _WORSE if row.strong else _ALIKE
            low, high = row.interval
            if low is not None and high is not None:
                axes.plot([low, high], [y, y], color=colour, linewidth=1.6)
            axes.plot(row.difference, y, "o", color=colour, markersize=5)

    key = [
        Mark("●", _ALIKE, "mean difference"),
        Mark("━", _ALIKE, "95 % interval over subjects and seeds"),
        Mark("■", style.FAINT, f"within ±{ROPE:g}: of no practical meaning"),
    ]
    if any(row.strong for row in rows):
        key.insert(1, Mark("●", _WORSE, "told apart from the first"))
    panel = RowPanel(
        axis="Dice of the row minus Dice of the first, same subjects and seeds",
        limits=_limits(rows),
        draw=draw,
        margin=["first", *(f"{signed(row.difference)}  {row.words}" for row in rows)],
        width=4.0,
    )
    return row_chart(Heading(title, facts, key), [first, *(row.name for row in rows)], [panel])


def _limits(rows: Sequence[ForestRow]) -> tuple[float, float]:
    values = [-2 * ROPE, 2 * ROPE, *(row.difference for row in rows)]
    values += [end for row in rows for end in row.interval if end is not None]
    margin = 0.05 * (max(values) - min(values))
    return min(values) - margin, max(values) + margin
