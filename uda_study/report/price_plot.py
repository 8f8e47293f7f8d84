"""What choosing without labels costs: the finished trials of every cell and who chose which."""

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


@dataclass(frozen=True)
class PricedCell:
    """Test Dice of a cell's finished search trials, and of what each would have taken.

    ``chosen`` is the study's rule's, ``oracle`` that of target validation labels, ``published``
    that of trial 0; None where it finished none.
    """

    name: str
    trials: Sequence[float]
    chosen: float | None
    oracle: float | None
    published: float | None

    @property
    def gap(self) -> float | None:
        """Dice of the rule's choice minus that of the oracle's."""
        if self.chosen is None or self.oracle is None:
            return None
        return self.chosen - self.oracle


def price_figure(cells: Sequence[PricedCell], title: str, facts: str) -> style.Picture:
    """Draw a row per cell; raises `InputError` without cells or for Dice that is not finite."""
    problems = [
        Problem(f"trials of {cell.name}", "must have finite Dice", str(list(cell.trials)))
        for cell in cells
        if not cell.trials or not all(math.isfinite(value) for value in cell.trials)
    ]
    if not cells:
        problems.append(Problem("prices", "needs at least one cell"))
    if problems:
        raise InputError(problems)
    values = [value for cell in cells for value in cell.trials]
    margin = 0.06 * (max(values) - min(values)) or 0.02

    def draw(axes: Axes) -> None:
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 2.5, 5, 10)))
        for y, cell in enumerate(cells):
            _draw_cell(axes, y, cell)

    key = [
        Mark("●", "#B4BBC2", "finished search trial"),
        Mark("◆", style.METHOD, "chosen without labels"),
        Mark("○", style.UPPER, "what target validation labels choose"),
        Mark("▲", style.INK, "published setting"),
        Mark("━", style.LOWER, "price"),
    ]
    panel = RowPanel(
        axis="test Dice",
        limits=(min(values) - margin, max(values) + margin),
        draw=draw,
        margin=["–" if cell.gap is None else signed(cell.gap) for cell in cells],
        head="chosen − oracle",
        width=4.4,
    )
    return row_chart(Heading(title, facts, key), [cell.name for cell in cells], [panel])


def _draw_cell(axes: Axes, y: int, cell: PricedCell) -> None:
    if cell.chosen is not None and cell.oracle is not None:
        axes.plot([cell.chosen, cell.oracle], [y, y], color=style.LOWER, linewidth=2.2)
    axes.plot(
        cell.trials, [y] * len(cell.trials), "o", color="#B4BBC2", markersize=4, markeredgewidth=0
    )
    if cell.published is not None:
        axes.plot(cell.published, y + 0.3, "^", color=style.INK, markersize=3.5)
    if cell.chosen is not None:
        axes.plot(cell.chosen, y, "D", color=style.METHOD, markersize=5)
    if cell.oracle is not None:
        axes.plot(
            cell.oracle, y, "o", markerfacecolor="none", markeredgecolor=style.UPPER,
            markersize=9.5, markeredgewidth=1.5,
        )  # fmt: skip
