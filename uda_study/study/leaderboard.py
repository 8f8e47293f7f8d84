"""Rank cells, methods or trials, computed from the runs' table and the per-case table alone.

``runs`` has one row per training: ``study key cell kind number method dataset direction fold seed
supervision protocol selection seeds status factors params`` (``seeds``: how many are asked for;
the last two as JSON text) and one column per score. ``cases`` has one row per measured value:
``key case subject role structure metric phase value``. The value of a subject is the mean over its
structures, then over its test cases; folds are averaged within a seed and seeds within a subject.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from uda_study.study import rules, selection
from uda_study.study.board import (
    RANKED_BY,
    Against,
    By,
    Leaderboard,
    Oracle,
    Role,
    Row,
    Summary,
    Table,
)
from uda_study.study.leaderboard_order import ranked
from uda_study.study.leaderboard_rows import (
    STATUSES,
    cell_row,
    chosen_trial,
    oracle_trial,
    reference_row,
    row_of,
    scored_runs,
)
from uda_study.study.leaderboard_values import (
    Values,
    mean_dice,
    structure_values,
    subject_values,
)

__all__ = [
    "NEEDED_SCORES", "RANKED_BY", "Against", "By", "Leaderboard", "Oracle", "Row", "Summary",
    "Table", "leaderboard", "mean_dice", "needed_keys", "scored_runs", "structure_values",
    "subject_values",
]  # fmt: skip

SMALLEST_GAP = 0.02
"""Between the bounds there must be at least this much Dice for a share of it to mean something."""
BOUNDS: Mapping[str, Role] = {
    "no_adaptation": "lower bound",
    "target_supervised": "upper bound",
}
USED_SCORES = (
    "blind/score", "oracle/dice", "cost/seconds", "cost/evaluation_seconds",
    "cost/shared_stages_trained",
    "cost/shared_seconds",
)  # fmt: skip
NEEDED_SCORES = (*USED_SCORES, *selection.VALIDATORS)
"""What a leaderboard needs of the runs' table, beside the score that the study selects by."""


def leaderboard(
    runs: pd.DataFrame, cases: pd.DataFrame, by: By = "cell", select: str | None = None
) -> Leaderboard:
    """Compute the leaderboard; the order of the frames' rows does not matter.

    ``select`` chooses within the cells by another rule than the study did, one of
    `uda_study.study.rules`; what it chooses is provisional unless it was confirmed as well. Of
    ``cases`` those of `needed_keys` are enough.
    """
    runs = _ready(runs, select)
    values = Values(cases)
    tables = []
    for (dataset, direction), group in runs.groupby(["dataset", "direction"], sort=True):
        baselines = group[group["kind"] == "baseline"]
        references = [
            reference_row(part, values, BOUNDS.get(str(method), "baseline"))
            for method, part in baselines.groupby("method", sort=True)
        ]
        rivals = group[group["kind"] != "baseline"]
        classes = sorted(set(rivals["supervision"])) or ["none"]
        for supervision in classes:
            rows = list(_contenders(rivals[rivals["supervision"] == supervision], values, by))
            # A single training tells nothing of the luck of seeds: trials are not compared.
            order = ranked([_recover(row, references) for row in rows], compared=by != "trial")
            protocol = ", ".join(sorted(set(group["protocol"])))
            tables.append(
                Table(str(dataset), str(direction), supervision, protocol, (*order, *references))
            )
    return Leaderboard(
        study=", ".join(sorted(set(runs["study"]))),
        selected_by=", ".join(sorted(set(runs["selection"]))),
        by=by,
        tables=tuple(tables),
    )


def needed_keys(runs: pd.DataFrame, by: By = "cell", select: str | None = None) -> set[str]:
    """Return the trainings whose cases the leaderboard of these runs is computed from.

    They are the baselines, the trainings that stand for the cells, and the search trials that the
    selection rule and target labels choose; by trial, all that are complete.
    """
    runs = _ready(runs, select)
    baselines, rivals = runs[runs["kind"] == "baseline"], runs[runs["kind"] != "baseline"]
    keys = set(baselines[baselines["status"] == "complete"]["key"])
    if by == "trial":
        return keys | set(rivals[rivals["status"] == "complete"]["key"])
    for _, cell in rivals.groupby(["study", "cell"]):
        keys |= {*scored_runs(cell)["key"], chosen_trial(cell), oracle_trial(cell)} - {None}
    return keys


def _ready(runs: pd.DataFrame, select: str | None) -> pd.DataFrame:
    runs = runs.sort_values(["study", "cell", "kind", "number", "seed", "fold", "key"])
    runs = runs.assign(**{name: np.nan for name in USED_SCORES if name not in runs})
    runs = runs.assign(**{"cost/seconds": _amortised(runs)})
    if select is None:
        return runs
    return runs.assign(selection=rules.rule_of(select, list(runs.columns)), reselected=True)


def _amortised(runs: pd.DataFrame) -> pd.Series:
    """Return each training's seconds with its share of the stages that one trained for all.

    Which training finds a shared stage missing is chance. Those of one study, direction, fold and
    seed share alike; the upper bound, whose stage reads target labels, keeps its own.
    """
    shared = runs["cost/shared_seconds"].fillna(0.0)
    bound = (runs["kind"] == "baseline") & (runs["supervision"] == "labels")
    group = [runs[name] for name in ("study", "direction", "fold", "seed")]
    measured = shared.where(runs["cost/seconds"].notna())
    return runs["cost/seconds"] - shared + measured.groupby([*group, bound]).transform("mean")


def _contenders(rivals: pd.DataFrame, values: Values, by: By) -> Iterator[Row]:
    if by == "trial":
        finished = rivals[(rivals["kind"] == "search") & (rivals["status"] == "complete")]
        for _, part in finished.groupby("key", sort=True):
            yield replace(
                row_of(part, part, values), trial=f"search {int(part['number'].iloc[0])}"
            )  # fmt: skip
        return
    rows = [cell_row(part, values) for _, part in rivals.groupby(["study", "cell"], sort=True)]
    if by == "cell":
        yield from rows
        return
    for key in sorted({(row.study, row.method) for row in rows}):
        mine = [row for row in rows if (row.study, row.method) == key]
        chosen = max(mine, key=lambda row: -np.inf if row.blind is None else row.blind)
        tuning = sum(row.cost.tuning_hours for row in mine)
        yield replace(
            chosen,
            hours=sum(row.hours for row in mine),
            trial_counts={s: sum(row.trial_counts[s] for row in mine) for s in STATUSES},
            cost=replace(chosen.cost, tuning_hours=tuning),
        )


def _recover(row: Row, references: Sequence[Row]) -> Row:
    """Add where the row stands between no adaptation (0) and training on target labels (1)."""
    by_role = {reference.role: reference.dice for reference in references}
    none, target = by_role.get("lower bound"), by_role.get("upper bound")
    if row.dice is None or none is None or target is None or target - none <= SMALLEST_GAP:
        return row
    return replace(row, recovered=(row.dice - none) / (target - none))
