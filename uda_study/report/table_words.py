"""What figures call the rows and the tables of a leaderboard."""

from __future__ import annotations

from collections.abc import Sequence

from uda_study.study.board import Row, Table
from uda_study.study.statistics import SMALLEST_TESTABLE

_SAID_ELSEWHERE = ("direction", "method")


def row_names(rows: Sequence[Row]) -> list[str]:
    """Return a name per row: its method where they differ in it, and its other factors."""
    several = len({row.method for row in rows}) > 1
    return [_name(row, with_method=several) for row in rows]


def confirmed(table: Table) -> list[Row]:
    """Return the ranked rows in order, without those that still wait for their confirmations."""
    return [row for row in table.rows if row.rank is not None and not row.provisional]


def table_title(table: Table) -> str:
    """Return dataset and direction, such as ``phantom mr → ct``."""
    return f"{table.dataset} {table.direction.replace('->', ' → ')}"


def table_facts(table: Table) -> str:
    """Return subjects, seeds, supervision and protocol in words."""
    rows = [row for row in table.rows if row.role == "method"] or list(table.rows)
    subjects = max((len(row.subjects) for row in rows), default=0)
    seeds = max((row.n_seeds for row in rows), default=0)
    facts = (
        f"{counted(subjects, 'test subject')}, {counted(seeds, 'seed')}, "
        f"supervision {table.supervision}, {table.protocol} protocol"
    )
    if "transductive" in table.protocol:
        facts += ": TRANSDUCTIVE, adapted to the images that are tested on"
    return facts


def counted(number: int, thing: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "seed"), counted(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{number} {thing}" + ("" if number == 1 else "s")


def signed(value: float) -> str:
    """Return three decimals with a sign, and a true minus.

    >>> signed(0.0123), signed(-0.5), signed(-0.0001)
    ('+0.012', '−0.500', '0.000')
    """
    text = f"{value:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "−")


def few_subjects(subjects: int) -> str:
    """Say so where no comparison can reach .05; else nothing.

    >>> few_subjects(3)
    ' Descriptive only: with fewer than 6 subjects no signed-rank test can reach .05.'
    >>> few_subjects(20)
    ''
    """
    if subjects >= SMALLEST_TESTABLE:
        return ""
    few = SMALLEST_TESTABLE
    return f" Descriptive only: with fewer than {few} subjects no signed-rank test can reach .05."


def _name(row: Row, *, with_method: bool) -> str:
    factors = [
        f"{name.rpartition('.')[2]} {value}"
        for name, value in row.factors.items()
        if name not in _SAID_ELSEWHERE
    ]
    parts = [row.method, *factors] if with_method or not factors else factors
    return ", ".join(parts)
