"""The rows of a leaderboard by rank, and how far a rank moves with other test subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from uda_study.errors import InputError, Problem
from uda_study.report import style
from uda_study.report.frame import Heading, Mark
from uda_study.report.row_chart import RowPanel, row_chart

# The area of a disc that has all draws, in square points.
_WHOLE = 230.0


@dataclass(frozen=True)
class RankRow:
    """A row's rank by mean Dice, and its 95 % interval where there is one.

    ``shares`` has the share of bootstrap draws at each rank from 1 on; empty where unknown.
    """

    name: str
    dice: float
    rank: int
    interval: tuple[int, int] | None
    shares: Sequence[float] = ()


def rank_figure(rows: Sequence[RankRow], title: str, facts: str) -> style.Picture:
    """Draw the ranks in the order given; raises `InputError` for fewer than two rows.

    The discs are those of Wiesenfarth et al. (Scientific Reports 11, 2021), figure 4: their area
    is the share of the draws.
    """
    problems = [
        Problem(f"rank of {row.name}", f"must be 1..{len(rows)}", str(row.rank))
        for row in rows
        if not 1 <= row.rank <= len(rows)
    ]
    if len(rows) < 2:
        problems.append(Problem("ranks", "needs at least two rows", str(len(rows))))
    if problems:
        raise InputError(problems)

    def draw(axes: Axes) -> None:
        axes.xaxis.set_major_locator(MaxNLocator(min(len(rows), 15), integer=True))
        for y, row in enumerate(rows):
            _draw_row(axes, y, row)

    key = [Mark("●", style.METHOD, "rank by mean Dice")]
    if any(row.interval for row in rows):
        key.append(Mark("━", style.METHOD, "95 % bootstrap interval"))
    if any(row.shares for row in rows):
        key.append(Mark("●", "#9CC4E0", "area: share of the draws with that rank"))
    panel = RowPanel(
        axis="rank, 1 is best",
        limits=(0.5, len(rows) + 0.5),
        draw=draw,
        margin=[f"{row.dice:.3f}" for row in rows],
        head="Dice",
        width=min(6.0, max(2.4, 0.42 * len(rows))),
    )
    return row_chart(Heading(title, facts, key), [row.name for row in rows], [panel])


def _draw_row(axes: Axes, y: int, row: RankRow) -> None:
    shares = np.asarray(row.shares)
    shown = np.flatnonzero(shares > 0)
    axes.scatter(
        shown + 1, np.full(len(shown), y), s=_WHOLE * shares[shown], color=style.METHOD,
        alpha=0.3, linewidth=0,
    )  # fmt: skip
    if row.interval is not None:
        axes.plot(row.interval, [y, y], color=style.METHOD, linewidth=1.6)
        for end in row.interval:
            axes.plot([end, end], [y - 0.16, y + 0.16], color=style.METHOD, linewidth=1.6)
    axes.plot(row.rank, y, "o", color=style.METHOD, markersize=5)
