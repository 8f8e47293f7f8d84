"""The order of a table's rows, and what can be said of each against the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from uda_study.study import ranking, statistics
from uda_study.study.board import RANKED_BY, Against, Row


def ranked(rows: Sequence[Row], *, compared: bool = True) -> list[Row]:
    """Order by mean Dice, equal ones sharing a rank; compare each row with the first.

    Confirmed rows come first; provisional ones have a rank only where nothing is confirmed, and
    are never compared, nor is anything unless ``compared``. Rows without a mean come last.
    """
    scored = sorted((r for r in rows if r.dice is not None), key=lambda r: (-_dice(r), _name(r)))
    missing = sorted((r for r in rows if r.dice is None), key=_name)
    confirmed = [row for row in scored if not row.provisional]
    if not confirmed:
        return [*_placed(scored), *missing]
    placed = _placed(confirmed)
    waiting = [row for row in scored if row.provisional]
    return [*(_compared(placed) if compared else placed), *waiting, *missing]


def _placed(rows: Sequence[Row]) -> list[Row]:
    """Add the ranks by mean, and the means of the ranks on every subject that all rows have."""
    places = ranking.places(np.array([_dice(row) for row in rows]))
    table = _table(rows)
    means = ranking.ranks(table).mean(axis=1).tolist() if table.size else [None] * len(rows)
    return [
        replace(row, rank=place, mean_rank=mean)
        for row, place, mean in zip(rows, places, means, strict=True)
    ]


def _compared(rows: Sequence[Row]) -> list[Row]:
    comparisons = [statistics.compare(row.by_seed, rows[0].by_seed) for row in rows[1:]]
    # The first row is chosen by the same figures, which is as if all pairs were compared.
    pairs = len(rows) * (len(rows) - 1) // 2
    adjusted = statistics.holm([comparison.p for comparison in comparisons], of=pairs)
    table = _table(rows)
    intervals = (
        statistics.rank_intervals(table) if table.shape[1] > 1 else [None] * len(rows)
    )  # fmt: skip
    against = [
        Against(c.difference, c.ci95, p, c.smallest_detectable, statistics.verdict(c, p))
        for c, p in zip(comparisons, adjusted, strict=True)
    ]
    return [
        replace(row, rank_ci=interval, against_first=found)
        for row, interval, found in zip(rows, intervals, [None, *against], strict=True)
    ]


def _table(rows: Sequence[Row]) -> np.ndarray:
    """Return the Dice ``(rows, subjects)`` of the subjects that all rows have."""
    shared = sorted(set.intersection(*(set(row.subjects) for row in rows))) if rows else []
    return np.array([[row.subjects[s] for s in shared] for row in rows]).reshape(
        len(rows), len(shared)
    )


def _dice(row: Row) -> float:
    """Return the mean without the digits in which equal sums may differ."""
    return round(row.scores[RANKED_BY].mean, ranking.DIGITS)


def _name(row: Row) -> tuple[str, str, str]:
    return row.study, row.cell, row.trial or ""
