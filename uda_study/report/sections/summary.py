"""What came out first, and what can and cannot be said of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from uda_study.report.board import board_figure
from uda_study.report.section import Exhibit, Material, Section
from uda_study.report.table_words import counted, row_names, signed, table_title
from uda_study.study.board import Leaderboard, Row, Table
from uda_study.study.statistics import POWER, ROPE, SMALLEST_TESTABLE, Verdict

Sentence = tuple[str, str]
"""The class of its bar (good, odd, bad or none), and plain text."""

_LEAD = (
    "Dice of test subjects whose labels the training has not read. Rows are called better or "
    "worse only where the adjusted p is below .05 and the 95 % interval of the paired difference "
    "excludes 0, and the signed-rank test over subjects agrees. All of it holds for these images "
    "and this budget of search and steps; others may order the rows otherwise."
)
_FIGURE = (
    "Mean test Dice and its 95 % t interval over subjects; faint dots are single seeds, bands the "
    "bounds. Whether two rows differ is not to be read from these intervals: the words come from "
    "paired differences."
)


def section(material: Material) -> Section:
    """Return the first screen of the report, in the words of docs/protocol.md."""
    board = material.board
    texts = "".join(_table(table, board) for table in board.tables)
    exhibits = [Exhibit("", html=texts or "<p>No training has ended yet.</p>")]
    if any(row.dice is not None for table in board.tables for row in table.rows):
        exhibits.append(Exhibit(_FIGURE, board_figure(board)))
    return Section("Summary", _LEAD, tuple(exhibits))


def _table(table: Table, board: Leaderboard) -> str:
    items = "".join(
        f'<li class="{state}">{escape(text)}</li>' if state else f"<li>{escape(text)}</li>"
        for state, text in _sentences(table, board)
    )
    title = f"{table_title(table)}, supervision {table.supervision}"
    return f'<h3>{escape(title)}</h3><ul class="words">{items}</ul>'


def _sentences(table: Table, board: Leaderboard) -> Iterator[Sentence]:
    """Yield what can be said of a table, then what limits it."""
    methods = [row for row in table.rows if row.role == "method"]
    names = dict(zip((row.cell for row in methods), row_names(methods), strict=True))
    ranked = [row for row in methods if row.dice is not None]
    if not ranked:
        yield "odd", "No training of a method has ended yet: nothing can be said."
    else:
        yield from _order(ranked, names)
        yield from _bounds(ranked[0], names, table)
        yield from _price(ranked[0], names)
    yield from _limits(methods, names, table, board)


def _order(rows: Sequence[Row], names: Mapping[str, str]) -> Iterator[Sentence]:
    first, others = rows[0], rows[1:]
    low, high = first.scores["dice"].ci95
    interval = "" if low is None else f", 95 % interval {low:.3f} to {high:.3f}"
    yield (
        "",
        (
            f"{names[first.cell]} came out first: mean Dice {first.dice:.3f}{interval}, over "
            f"{counted(len(first.subjects), 'test subject')} and {counted(first.n_seeds, 'seed')}."
        ),
    )
    if not others:
        yield "", "It is the only row here, so there is no order to speak of."
    if worse := _having("worse", others):
        yield "good", f"It is better than {_listed(worse, others, names)}."
    if equal := _having("practically equivalent", others):
        listed = _listed(equal, others, names)
        yield "odd", f"Practically equivalent to it, within ±{ROPE} Dice: {listed}."
    if like := _having("not distinguishable", others):
        found = [row.against_first.smallest_detectable for row in like if row.against_first]
        power = [value for value in found if value is not None]
        listed = _listed(like, others, names)
        yield (
            "odd",
            f"Not distinguishable from it: {listed}.{_detectable(power)} That does not say that "
            "they are equal.",
        )
    if _having("descriptive only", others):
        yield (
            "bad",
            f"Descriptive only: with fewer than {SMALLEST_TESTABLE} test subjects no test can "
            "reach .05, so the order of the rows is no finding.",
        )


def _detectable(differences: Sequence[float]) -> str:
    """Return how large true differences would have to be, from the surest row to the least sure."""
    if not differences:
        return ""
    least, most = f"{min(differences):.3f}", f"{max(differences):.3f}"
    size = least if least == most else f"{least} to {most}"
    by = "" if least == most else " (by row)"
    return (
        f" With these subjects and seeds a true difference of {size} Dice{by} would be found "
        f"with {POWER:.0%} power; smaller ones are easily missed."
    )


def _having(verdict: Verdict, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.against_first and row.against_first.verdict == verdict]


def _listed(rows: Sequence[Row], others: Sequence[Row], names: Mapping[str, str]) -> str:
    if len(rows) == len(others) > 2:
        return f"all {len(rows)} others"
    return "; ".join(names[row.cell] for row in rows)


def _bounds(first: Row, names: Mapping[str, str], table: Table) -> Iterator[Sentence]:
    bounds = {row.role: row.dice for row in table.rows if row.dice is not None}
    lower, upper = bounds.get("lower bound"), bounds.get("upper bound")
    known = {"without adaptation": lower, "trained on target labels": upper}
    parts = [f"{what} {dice:.3f}" for what, dice in known.items() if dice is not None]
    if parts:
        text = f"For comparison: {', '.join(parts)}."
        if first.recovered is not None:
            text += f" {names[first.cell]} recovers {first.recovered:.0%} of the way."
        yield "", text
    if upper is not None and first.dice is not None and first.dice > upper:
        yield (
            "odd",
            "The first row lies above the training on target labels, which therefore is no upper "
            "bound here: it was too short or had too few images.",
        )
    if lower is not None and first.dice is not None and first.dice <= lower:
        yield "bad", "No row lies above the segmenter without adaptation."


def _price(first: Row, names: Mapping[str, str]) -> Iterator[Sentence]:
    if first.oracle.gap is not None:
        yield (
            "",
            (
                f"The price of choosing the setting of {names[first.cell]} blindly is "
                f"{signed(first.oracle.gap)} Dice against what target labels would have chosen "
                "from the same search trials."
            ),
        )


def _limits(
    methods: Sequence[Row], names: Mapping[str, str], table: Table, board: Leaderboard
) -> Iterator[Sentence]:
    def listed(rows: Sequence[Row]) -> str:
        return "; ".join(names[row.cell] for row in rows)

    if waiting := [row for row in methods if row.provisional or row.dice is None]:
        yield "odd", f"Not confirmed yet, a search trial or nothing at all: {listed(waiting)}."
    if short := [
        row for row in methods if not row.provisional and row.n_seeds < row.seeds_expected
    ]:
        yield "odd", f"Fewer seeds than asked for: {listed(short)}."
    if "transductive" in table.protocol:
        yield "bad", "Transductive: adapted to the very images that are tested on."
    if "oracle/" in board.selected_by:
        yield "bad", "Settings were chosen with target labels: this is not unsupervised."
