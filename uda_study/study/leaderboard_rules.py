"""What each selection rule would have cost, as tables and as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import pandas as pd

from uda_study.study.leaderboard_text import TableView
from uda_study.study.rules import Price
from uda_study.study.spelling import MISSING

Prices = Mapping[str, Sequence[Price]]


def price_views(found: Prices) -> list[TableView]:
    """Return one table of rules per direction, from `uda_study.study.rules.prices`."""
    return [
        TableView(
            f"{direction}: test Dice of the search trials that each rule chooses",
            ("rule", "cells", "Dice", "regret", "Spearman"),
            tuple(map(_cells, rows)),
            ("regret: Dice of what target labels would have chosen, minus it",),
        )
        for direction, rows in found.items()
    ]


def prices_to_csv(found: Prices) -> str:
    """Return one line per direction and rule."""
    lines = [
        {"direction": direction, **asdict(row)} for direction, rows in found.items() for row in rows
    ]
    return pd.DataFrame(lines).to_csv(index=False, lineterminator="\n")


def _cells(row: Price) -> tuple[str, ...]:
    rank = MISSING if row.spearman is None else f"{row.spearman:.2f}"
    return row.rule, str(row.cells), f"{row.dice:.3f}", f"{row.regret:.3f}", rank
