"""The picture of a leaderboard."""

from __future__ import annotations

import math
from typing import Literal

from uda_study.report.results import ResultPanel, ResultRow, results_figure
from uda_study.report.style import Picture
from uda_study.study.leaderboard import Leaderboard, Row, Table

_ROLES: dict[str, Literal["lower", "upper"]] = {"lower bound": "lower", "upper bound": "upper"}


def board_figure(board: Leaderboard) -> Picture:
    """Draw the Dice of every row with its interval, one panel per table."""
    panels = [
        ResultPanel(_title(table), [_result(row) for row in table.rows if row.dice is not None])
        for table in board.tables
    ]
    how = f"by {board.selected_by}, "
    how += "with target labels" if board.reads_target_labels else "without target labels"
    subtitle = f"Settings chosen {how}. Confirmed on fresh seeds."
    return results_figure([panel for panel in panels if panel.rows], board.study, subtitle)


def _title(table: Table) -> str:
    return f"{table.dataset} {table.direction}"


def _result(row: Row) -> ResultRow:
    summary = row.scores["dice"]
    low, high = (math.nan if bound is None else bound for bound in summary.ci95)
    factors = [
        str(value) if name == "method" else f"{name} {value}"
        for name, value in row.factors.items()
        if name != "direction"
    ]
    return ResultRow(
        label=", ".join(factors) or row.method,
        mean=summary.mean,
        lo=low,
        hi=high,
        seeds=row.seed_means,
        role=_ROLES.get(row.role, "method"),
    )
