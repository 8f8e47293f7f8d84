"""A leaderboard with all its figures, as JSON and as CSV."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from uda_study.study.across import Across, across
from uda_study.study.board import Leaderboard, Row
from uda_study.study.leaderboard_text import across_title, table_title
from uda_study.types import JSON


def to_json(board: Leaderboard) -> str:
    """Return the leaderboard as strict JSON; what is unknown is null, never NaN."""
    document = {
        "study": board.study,
        "selected_by": board.selected_by,
        "reads_target_labels": board.reads_target_labels,
        "by": board.by,
        "tables": [
            {
                "title": table_title(table, board),
                "dataset": table.dataset,
                "direction": table.direction,
                "supervision": table.supervision,
                "protocol": table.protocol,
                "rows": [_row_json(row) for row in table.rows],
            }
            for table in board.tables
        ],
        "across": [_across_json(found, board) for found in across(board)],
    }
    return json.dumps(_finite(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(board: Leaderboard) -> str:
    """Return one line per row of every table, with one column per score and spread.

    The means over directions are lines of their own, whose ``direction`` says of how many pairs and
    whose figures are in columns of their own, so that no sum over lines counts them twice.
    """
    lines = []
    for table in board.tables:
        for row in table.rows:
            line: dict[str, Any] = {
                "dataset": table.dataset,
                "direction": table.direction,
                "supervision": table.supervision,
                "protocol": table.protocol,
                "selected_by": board.selected_by,
                "reads_target_labels": board.reads_target_labels,
            }
            lines.append(line | _row_line(row))
    for found in across(board):
        lines += [_across_line(found, place, board) for place in range(len(found.rows))]
    return pd.DataFrame(lines).to_csv(index=False, lineterminator="\n")


def _row_json(row: Row) -> dict[str, Any]:
    """Return the row under the names that ``leaderboard --format json`` promises."""
    against = row.against_first
    return {
        "rank": row.rank,
        "rank_ci": row.rank_ci,
        "mean_rank": row.mean_rank,
        "role": row.role,
        "study": row.study,
        "cell": row.cell,
        "method": row.method,
        "trial": row.trial,
        "factors": dict(row.factors),
        "n_subjects": len(row.subjects),
        "n_seeds": row.n_seeds,
        "seeds_expected": row.seeds_expected,
        "unfinished": [asdict(ending) for ending in row.unfinished],
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
        "verdict": row.verdict,
        "trials": sum(row.trial_counts.values()),
        "trial_counts": dict(row.trial_counts),
        "hours": row.hours,
        "cost": asdict(row.cost),
        "worst": [asdict(case) for case in row.worst],
    }


def _row_line(row: Row) -> dict[str, Any]:
    values = _row_json(row)
    line = {f"factors.{name}": value for name, value in values.pop("factors").items()}
    for name, summary in values.pop("scores").items():
        if summary is None:
            continue
        low, high = summary.pop("ci95")
        line |= {f"{name}.{key}": value for key, value in summary.items()}
        line |= {f"{name}.ci95_low": low, f"{name}.ci95_high": high}
    for name, means in values.pop("structures").items():
        line |= {f"{name}.{structure}": mean for structure, mean in means.items()}
    values["unfinished"] = "; ".join(
        f"seed {e.seed} fold {e.fold} {e.status}" for e in row.unfinished
    )
    values["worst"] = "; ".join(f"{case.case} {case.dice:.3f}" for case in row.worst)
    for name, value in values.items():
        line |= _flat(name, value)
    return line


def _across_json(found: Across, board: Leaderboard) -> dict[str, Any]:
    return {
        "title": across_title(found, board),
        "supervision": found.supervision,
        "pairs": found.pairs,
        "clusters": found.clusters,
        "rows": [asdict(row) for row in found.rows],
        "friedman_p": found.friedman_p,
        "posthoc": [{"settings": pair, "p": p} for pair, p in found.posthoc.items()],
        "kendall_tau": found.kendall_tau,
        "note": found.note,
    }


def _across_line(found: Across, place: int, board: Leaderboard) -> dict[str, Any]:
    row = found.rows[place]
    return {
        "direction": f"mean over {len(found.pairs)} pairs",
        "supervision": found.supervision,
        "selected_by": board.selected_by,
        "reads_target_labels": board.reads_target_labels,
        "cell": row.label,
        "across.mean_dice": row.mean_dice,
        "across.mean_rank": row.mean_rank,
        **_flat("across.rank_ci", row.rank_ci or (None, None)),
        **{f"across.{pair}": row.by_pair.get(pair) for pair in found.pairs},
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
