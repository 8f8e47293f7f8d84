"""Write a leaderboard as Markdown, or as plain cells that a terminal or a document can draw."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from uda_study.study.across import Across, across, label
from uda_study.study.board import RANKED_BY, Ending, Leaderboard, Row, Table
from uda_study.study.rules import RANK_AVERAGE
from uda_study.study.spelling import MISSING, interval, number, p_value
from uda_study.study.statistics import SMALLEST_TESTABLE

SHOWN = ("hd95", "assd", "js", "js_excess")
"""The metrics that tables show beside Dice; JSON and CSV have all."""
MARKS = {"not distinguishable": "≈", "practically equivalent": "=", "descriptive only": "n small"}
_ENDED = {"diverged": "diverged", "failed": "failed", "pruned": "was stopped early",
          "running": "still runs", "killed": "was cut off"}  # fmt: skip
Standing = Literal["first", "alike", "other", "too few", "waiting", "reference"]
"""What a row is at a glance; *alike* cannot be told from the first, *too few* are its subjects for
any test, and *waiting* is what has no confirmation or no finished training."""


@dataclass(frozen=True)
class TableView:
    """A table as text: a title, columns, rows (references among them), and notes below.

    ``standings`` has what each row is, where a table is of single directions.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    standings: tuple[Standing, ...] = ()


def to_markdown(board: Leaderboard) -> str:
    """Return every table under its own heading."""
    return views_to_markdown(table_views(board))


def views_to_markdown(views: Sequence[TableView]) -> str:
    """Return the tables as Markdown, each under its title."""
    blocks = []
    for view in views:
        lines = [f"### {view.title}", ""]
        lines += [_markdown_line(view.columns), _markdown_line(["---"] * len(view.columns))]
        lines += [_markdown_line(row) for row in view.rows]
        lines += ["", *(f"- {note}" for note in view.notes)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def table_views(board: Leaderboard) -> list[TableView]:
    """Return the tables as text cells: one per direction, then the means over directions."""
    views = [_view(table, board) for table in board.tables]
    return views + [_across_view(found, board) for found in across(board)]


def brief_views(board: Leaderboard, left_out: Collection[str] = ()) -> list[TableView]:
    """Return the tables without what a page has no room for.

    Those are factors, which the cell's name repeats, the direction in that name, which the title
    has, metrics before adaptation, and ``left_out``.
    """
    factors = {name for table in board.tables for row in table.rows for name in row.factors}
    hidden = {*factors, *left_out, *(f"{name}_before" for name in (RANKED_BY, *SHOWN))}
    return [_named_briefly(_without(view, hidden)) for view in table_views(board)]


def _named_briefly(view: TableView) -> TableView:
    if "cell" not in view.columns:
        return view
    place = view.columns.index("cell")
    rows = tuple((*row[:place], brief_name(row[place]), *row[place + 1 :]) for row in view.rows)
    return replace(view, rows=rows)


def brief_name(cell: str) -> str:
    """Return a cell's name without its direction, a method by its name alone.

    >>> brief_name("method=dam direction=mr->ct"), brief_name("depth=g5 direction=mr->ct")
    ('dam', 'depth=g5')
    """
    words = [word for word in cell.split() if not word.startswith("direction=")]
    return " ".join(word.removeprefix("method=") for word in words) or cell


def _without(view: TableView, hidden: Collection[str]) -> TableView:
    shown = [place for place, name in enumerate(view.columns) if name not in hidden]
    rows = tuple(tuple(row[place] for place in shown) for row in view.rows)
    return replace(view, columns=tuple(view.columns[place] for place in shown), rows=rows)


def table_title(table: Table, board: Leaderboard) -> str:
    """Return what is compared, on whom, and how settings were chosen."""
    methods = [row for row in table.rows if row.role == "method"] or list(table.rows)
    subjects = max((len(row.subjects) for row in methods), default=0)
    seeds = max((row.n_seeds for row in methods), default=0)
    parts = [
        f"{table.dataset} {table.direction}",
        f"supervision {table.supervision}",
        f"{subjects} subjects",
        f"{seeds} seeds",
        f"{table.protocol} protocol",
        *_selection(board),
    ]
    return ", ".join(parts + _transductive([table]))


def across_title(found: Across, board: Leaderboard) -> str:
    """Return what the means are of, and how settings were chosen."""
    tables = [table for table in board.tables if table.supervision == found.supervision]
    parts = [
        f"unweighted mean over {len(found.pairs)} domain pairs ({'; '.join(found.pairs)})",
        f"supervision {found.supervision}",
        *_selection(board),
    ]
    return ", ".join(parts + _transductive(tables))


def _selection(board: Leaderboard) -> list[str]:
    rule = board.selected_by.replace(RANK_AVERAGE, "blind rank average")
    loud = "SELECTED WITH TARGET LABELS: not unsupervised"
    return [f"selected by {rule}", *([loud] if board.reads_target_labels else [])]


def _transductive(tables: Sequence[Table]) -> list[str]:
    found = any("transductive" in table.protocol for table in tables)
    return ["TRANSDUCTIVE: adapted to the images that are tested on"] if found else []


def _across_view(found: Across, board: Leaderboard) -> TableView:
    columns = ("setting", "mean Dice", *found.pairs, "mean rank", "rank CI")
    rows = tuple(
        (
            row.label,
            number(row.mean_dice),
            *(number(row.by_pair.get(pair)) for pair in found.pairs),
            MISSING if row.mean_rank is None else f"{row.mean_rank:.2f}",
            _places(row.rank_ci),
        )
        for row in found.rows
    )
    return TableView(across_title(found, board), columns, rows, tuple(_across_notes(found, board)))


def _across_notes(found: Across, board: Leaderboard) -> list[str]:
    notes = [found.note] if found.note else []
    if found.friedman_p is not None:
        notes.append(f"Friedman's test: p {p_value(found.friedman_p)}")
    notes += [f"{a} and {b}: p {p_value(p)}" for (a, b), p in found.posthoc.items()]
    if found.kendall_tau is not None:
        notes.append(f"orders by mean Dice and by mean rank: Kendall's tau {found.kendall_tau:.2f}")
    notes += [
        f"{row.label}: no mean, nothing in {', '.join(row.missing)}"
        for row in found.rows
        if row.missing
    ]
    waiting = sorted(
        {
            label(row, board.by)
            for table in board.tables
            if table.supervision == found.supervision
            for row in table.rows
            if row.verdict == "provisional"
        }
    )
    return notes + [f"{name}: provisional in at least one pair" for name in waiting]


def _view(table: Table, board: Leaderboard) -> TableView:
    factors = sorted({name for row in table.rows for name in row.factors} - {"direction"})
    measured = {name for row in table.rows for name in row.scores}
    wanted = [*SHOWN, *(f"{name}_before" for name in (RANKED_BY, *SHOWN))]
    metrics = [name for name in wanted if name in measured]
    columns = [
        "#", "cell", *factors, "Dice mean", "sd seeds", "sd subjects", "95% CI", *metrics,
        "oracle", "gap", "recovered", "rank CI", "p (Holm)", "", "seeds", "trials", "hours",
    ]  # fmt: skip
    rows = tuple(tuple(_cells(row, factors, metrics)) for row in table.rows)
    return TableView(
        table_title(table, board),
        tuple(columns),
        rows,
        tuple(_notes(table, board)),
        tuple(map(_standing, table.rows)),
    )


def _standing(row: Row) -> Standing:
    if row.role != "method":
        return "reference"
    if row.dice is None or row.provisional:
        return "waiting"
    if len(row.subjects) < SMALLEST_TESTABLE:
        return "too few"
    if row.verdict in ("not distinguishable", "practically equivalent"):
        return "alike"
    return "first" if row.verdict == "first" else "other"


def _notes(table: Table, board: Leaderboard) -> list[str]:
    notes = ["single trainings, which are not compared"] if board.by == "trial" else []
    notes += [
        f"{_name(row)}: provisional, its best search trial; no confirmation yet"
        for row in table.rows
        if row.provisional and row.dice is not None
    ]
    notes += [
        f"{_name(row)}: no finished {'trial' if row.role == 'method' else 'training'}"
        for row in table.rows
        if row.dice is None
    ]
    notes += [
        f"{_name(row)}: {row.n_seeds}/{row.seeds_expected} seeds"
        + (" confirmed" if row.role == "method" else "")
        for row in table.rows
        if not row.provisional and 0 < row.n_seeds < row.seeds_expected and row.trial is None
    ]
    notes += [f"{_name(row)}: {_endings(row.unfinished)}" for row in table.rows if row.unfinished]
    missed = {
        _name(row): row.scores["n_missed"].mean for row in table.rows if "n_missed" in row.scores
    }
    notes += [
        f"{name}: finds nothing of {mean:.2f} structures per case"
        for name, mean in missed.items()
        if mean > 0
    ]
    detectable = [
        row.against_first.smallest_detectable
        for row in table.rows
        if row.against_first and row.against_first.smallest_detectable is not None
    ]
    verdicts = {row.against_first.verdict for row in table.rows if row.against_first}
    if "not distinguishable" in verdicts:
        notes.append("≈ not distinguishable from the first")
    if "practically equivalent" in verdicts:
        notes.append("= practically equivalent to the first: within ±0.01 Dice")
    if "descriptive only" in verdicts:
        notes.append("descriptive only; with so few subjects no test can reach .05")
    if detectable:
        least, most = (f"{bound:.3f}" for bound in (min(detectable), max(detectable)))
        found = f"{least} Dice" if least == most else f"{least} to {most} Dice, by row"
        notes.append(f"smallest detectable difference from the first: {found}")
    return notes


def _endings(found: Sequence[Ending]) -> str:
    several = any(ending.fold for ending in found)
    return ", ".join(
        f"seed {ending.seed}{f' fold {ending.fold}' if several else ''} {_ENDED[ending.status]}"
        for ending in found
    )


def _cells(row: Row, factors: Sequence[str], metrics: Sequence[str]) -> list[str]:
    dice, against = row.scores.get(RANKED_BY), row.against_first
    verdict = MARKS.get(row.verdict or "", row.verdict or "")
    failed = {k: n for k, n in row.trial_counts.items() if n and k != "complete"}
    trials = str(sum(row.trial_counts.values()))
    if failed:
        trials += f" ({', '.join(f'{n} {status}' for status, n in failed.items())})"
    return [
        str(row.rank) if row.rank is not None else "",
        _name(row),
        *(str(row.factors.get(name, MISSING)) for name in factors),
        number(dice.mean if dice else None),
        number(dice.sd_seeds if dice else None),
        number(dice.sd_subjects if dice else None),
        interval(dice.ci95) if dice else MISSING,
        *(number(row.scores[name].mean if name in row.scores else None) for name in metrics),
        number(row.oracle.dice),
        number(row.oracle.gap),
        MISSING if row.recovered is None else f"{row.recovered:.0%}",
        _places(row.rank_ci),
        p_value(against.p_holm if against else None),
        verdict,
        f"{0 if row.provisional else row.n_seeds}/{row.seeds_expected}",
        trials,
        f"{row.hours:.2f}",
    ]


def _name(row: Row) -> str:
    name = row.cell if row.trial is None else f"{row.cell} {row.trial}"
    return name if row.role == "method" else f"{row.method} ({row.role})"


def _places(bounds: tuple[int, int] | None) -> str:
    return MISSING if bounds is None else f"[{bounds[0]}, {bounds[1]}]"


def _markdown_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
