"""A leaderboard as one data frame, for notebooks and for other people's tables."""

from __future__ import annotations

import pandas as pd

from uda_study.study.board import RANKED_BY, Leaderboard, Row

METRICS = ("hd95", "assd", "js", "js_excess")
"""What stands beside Dice, where it was measured."""


def board_frame(board: Leaderboard) -> pd.DataFrame:
    """Return one line per row of every table, in their order; what is unknown is missing.

    Columns are ``dataset direction supervision`` of the table, ``cell method role`` of the row,
    then those of `row_values`; columns that no row fills are left out.
    """
    lines = [
        {
            "dataset": table.dataset,
            "direction": table.direction,
            "supervision": table.supervision,
            "cell": row.cell,
            "method": row.method,
            "role": row.role,
            **row_values(row),
            "verdict": verdict_of(row),
        }
        for table in board.tables
        for row in table.rows
    ]
    frame = pd.DataFrame(lines).dropna(axis="columns", how="all")
    return frame.astype({"rank": "Int64"}) if "rank" in frame else frame


def row_values(row: Row) -> dict[str, float | None]:
    """Return the figures of a row under the names that all outputs share; see docs/protocol.md."""
    found: dict[str, float | None] = {"rank": row.rank, "dice": row.dice}
    if row.dice is not None:
        summary = row.scores[RANKED_BY]
        found |= {"sd_seeds": summary.sd_seeds, "sd_subjects": summary.sd_subjects}
        found |= {"ci95_low": summary.ci95[0], "ci95_high": summary.ci95[1]}
    found |= {name: row.scores[name].mean for name in METRICS if name in row.scores}
    found |= {"oracle": row.oracle.dice, "gap": row.oracle.gap, "recovered": row.recovered}
    found["p_holm"] = None if row.against_first is None else row.against_first.p_holm
    return found | {"seeds": row.n_seeds, "hours": row.hours}


def verdict_of(row: Row) -> str:
    """Return what can be said of the row, seen against the first of its table."""
    return row.verdict or row.role
