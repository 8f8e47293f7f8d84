"""Write a leaderboard as JSON, CSV, Markdown, or as plain cells that a terminal can draw."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from uda_study.study.board import RANKED_BY, Leaderboard, Row, Table
from uda_study.study.rules import RANK_AVERAGE
from uda_study.types import JSON

SHOWN = ("hd95", "assd", "js", "js_excess")
"""The metrics that tables show beside Dice; JSON and CSV have all."""
MARKS = {"not distinguishable": "≈", "practically equivalent": "=", "descriptive only": "n small"}
MISSING = "-"


@dataclass(frozen=True)
class TableView:
    """A table as text: a title, columns, rows (references among them), and notes below."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def to_json(board: Leaderboard) -> str:
    """Return the leaderboard as strict JSON; what is unknown is null, never NaN."""
    document = {
        "study": board.study,
        "selected_by": board.selected_by,
        "by": board.by,
        "tables": [
            {
                "dataset": table.dataset,
                "direction": table.direction,
                "supervision": table.supervision,
                "protocol": table.protocol,
                "rows": [_row_json(row) for row in table.rows],
            }
            for table in board.tables
        ],
    }
    return json.dumps(_finite(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(board: Leaderboard) -> str:
    """Return one line per row of every table, with one column per score and spread."""
    lines = []
    for table in board.tables:
        for row in table.rows:
            line: dict[str, Any] = {
                "dataset": table.dataset,
                "direction": table.direction,
                "supervision": table.supervision,
                "protocol": table.protocol,
                "selected_by": board.selected_by,
            }
            values = _row_json(row)
            line |= {f"factors.{k}": v for k, v in values.pop("factors").items()}
            for name, summary in values.pop("scores").items():
                if summary is None:
                    continue
                low, high = summary.pop("ci95")
                line |= {f"{name}.{k}": v for k, v in summary.items()}
                line |= {f"{name}.ci95_low": low, f"{name}.ci95_high": high}
            for name, means in values.pop("structures").items():
                line |= {f"{name}.{structure}": mean for structure, mean in means.items()}
            for name, value in values.items():
                line |= _flat(name, value)
            lines.append(line)
    return pd.DataFrame(lines).to_csv(index=False, lineterminator="\n")


def to_markdown(board: Leaderboard) -> str:
    """Return every table under its own heading."""
    blocks = []
    for view in table_views(board):
        lines = [f"### {view.title}", ""]
        lines += [_markdown_line(view.columns), _markdown_line(["---"] * len(view.columns))]
        lines += [_markdown_line(row) for row in view.rows]
        lines += ["", *(f"- {note}" for note in view.notes)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def table_views(board: Leaderboard) -> list[TableView]:
    """Return the tables as text cells, for a terminal or a document."""
    return [_view(table, board.selected_by) for table in board.tables]


def _view(table: Table, selected_by: str) -> TableView:
    factors = sorted({name for row in table.rows for name in row.factors} - {"direction"})
    measured = {name for row in table.rows for name in row.scores}
    wanted = [*SHOWN, *(f"{name}_before" for name in (RANKED_BY, *SHOWN))]
    metrics = [name for name in wanted if name in measured]
    columns = [
        "#", "cell", *factors, "Dice mean", "sd seeds", "sd subjects", "95% CI", *metrics,
        "oracle", "gap", "recovered", "rank CI", "p (Holm)", "", "seeds", "trials", "hours",
    ]  # fmt: skip
    rows = tuple(tuple(_cells(row, factors, metrics)) for row in table.rows)
    return TableView(_title(table, selected_by), tuple(columns), rows, tuple(_notes(table)))


def _title(table: Table, selected_by: str) -> str:
    methods = [row for row in table.rows if row.role == "method"] or list(table.rows)
    subjects = max((len(row.subjects) for row in methods), default=0)
    seeds = max((row.n_seeds for row in methods), default=0)
    rule = selected_by.replace(RANK_AVERAGE, "blind rank average")
    parts = [
        f"{table.dataset} {table.direction}",
        f"supervision {table.supervision}",
        f"{subjects} subjects",
        f"{seeds} seeds",
        f"{table.protocol} protocol",
        f"selected by {rule}",
    ]
    if "oracle/" in selected_by:
        parts.append("SELECTED WITH TARGET LABELS: not unsupervised")
    if "transductive" in table.protocol:
        parts.append("TRANSDUCTIVE: adapted to the images that are tested on")
    return ", ".join(parts)


def _notes(table: Table) -> list[str]:
    notes = [
        f"{row.cell}: provisional, its best search trial; no confirmation yet"
        for row in table.rows
        if row.provisional and row.dice is not None
    ]
    notes += [f"{row.cell}: no finished trial" for row in table.rows if row.dice is None]
    notes += [
        f"{row.cell}: {row.n_seeds}/{row.seeds_expected} seeds confirmed"
        for row in table.rows
        if not row.provisional and row.n_seeds < row.seeds_expected and row.role == "method"
    ]
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
        notes.append(f"smallest detectable difference from the first: {max(detectable):.3f} Dice")
    return notes


def _cells(row: Row, factors: Sequence[str], metrics: Sequence[str]) -> list[str]:
    dice, against = row.scores.get(RANKED_BY), row.against_first
    verdict = "" if against is None else MARKS.get(against.verdict, against.verdict)
    if row.rank == 1 and against is None:
        verdict = "first"
    failed = {k: n for k, n in row.trial_counts.items() if n and k != "complete"}
    trials = str(sum(row.trial_counts.values()))
    if failed:
        trials += f" ({', '.join(f'{n} {status}' for status, n in failed.items())})"
    return [
        str(row.rank) if row.rank is not None else "",
        _name(row),
        *(str(row.factors.get(name, MISSING)) for name in factors),
        _number(dice.mean if dice else None),
        _number(dice.sd_seeds if dice else None),
        _number(dice.sd_subjects if dice else None),
        _interval(dice.ci95) if dice else MISSING,
        *(_number(row.scores[name].mean if name in row.scores else None) for name in metrics),
        _number(row.oracle.dice),
        _number(row.oracle.gap),
        MISSING if row.recovered is None else f"{row.recovered:.0%}",
        MISSING if row.rank_ci is None else f"[{row.rank_ci[0]}, {row.rank_ci[1]}]",
        _number(against.p_holm if against else None),
        verdict,
        f"{row.n_seeds}/{row.seeds_expected}" + (" provisional" if row.provisional else ""),
        trials,
        f"{row.hours:.2f}",
    ]


def _name(row: Row) -> str:
    name = row.cell if row.trial is None else f"{row.cell} {row.trial}"
    return name if row.role == "method" else f"{row.method} ({row.role})"


def _row_json(row: Row) -> dict[str, Any]:
    """Return the row under the names that ``leaderboard --format json`` promises."""
    against = row.against_first
    return {
        "rank": row.rank,
        "rank_ci": row.rank_ci,
        "role": row.role,
        "study": row.study,
        "cell": row.cell,
        "method": row.method,
        "trial": row.trial,
        "factors": dict(row.factors),
        "n_subjects": len(row.subjects),
        "n_seeds": row.n_seeds,
        "seeds_expected": row.seeds_expected,
        "provisional": row.provisional,
        "scores": {"dice": None, "js": None}
        | {name: asdict(summary) for name, summary in row.scores.items()},
        "structures": {name: dict(means) for name, means in row.structures.items()},
        "blind_score": row.blind,
        "oracle": asdict(row.oracle),
        "recovered": row.recovered,
        "difference": against.difference if against else None,
        "difference_ci95": against.ci95 if against else None,
        "p_holm": against.p_holm if against else None,
        "smallest_detectable": against.smallest_detectable if against else None,
        "verdict": against.verdict if against else None,
        "trials": sum(row.trial_counts.values()),
        "trial_counts": dict(row.trial_counts),
        "hours": row.hours,
    }


def _flat(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {f"{name}.{key}": item for key, item in value.items()}
    if isinstance(value, tuple):
        return {f"{name}_low": value[0], f"{name}_high": value[1]}
    return {name: value}


def _finite(value: Any) -> JSON:
    """Return plain JSON values with null in place of every number that is not finite."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value  # type: ignore[no-any-return]


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.3f}"


def _interval(bounds: tuple[float | None, float | None]) -> str:
    return MISSING if bounds[0] is None else f"[{_number(bounds[0])}, {_number(bounds[1])}]"


def _markdown_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
