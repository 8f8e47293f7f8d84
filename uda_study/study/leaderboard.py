"""Rank cells, methods or trials, computed from the runs' table and the per-case table alone.

``runs`` has one row per training: ``study key cell kind number method dataset direction fold seed
supervision protocol selection seeds status factors params`` (``seeds``: how many are asked for;
the last two as JSON text) and one column per score. ``cases`` has one row per measured value:
``key case subject role structure metric phase value``. The value of a subject is the mean over its
structures, then over its test cases; folds are averaged within a seed and seeds within a subject.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from uda_study.study import rules, selection, statistics
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

__all__ = [
    "Against", "By", "Leaderboard", "Oracle", "Row", "Summary", "Table", "leaderboard",
    "scored_runs", "structure_values", "subject_values",
]  # fmt: skip

SMALLEST_GAP = 0.02
"""Between the bounds there must be at least this much Dice for a share of it to mean something."""
BOUNDS: Mapping[str, Role] = {
    "no_adaptation": "lower bound",
    "target_supervised": "upper bound",
}
USED_SCORES = ("blind/score", "oracle/dice", "cost/seconds")
STATUSES = ("complete", "pruned", "diverged", "failed")


class Values(NamedTuple):
    """What was measured on the target's test cases: by subject, and by subject and structure."""

    subjects: pd.DataFrame
    structures: pd.DataFrame


def leaderboard(
    runs: pd.DataFrame, cases: pd.DataFrame, by: By = "cell", select: str | None = None
) -> Leaderboard:
    """Compute the leaderboard; the order of the frames' rows does not matter.

    ``select`` chooses within the cells by another rule than the study did, one of
    `uda_study.study.rules`; what it chooses is provisional unless it was confirmed as well.
    """
    runs = runs.sort_values(["study", "cell", "kind", "number", "seed", "fold", "key"])
    runs = runs.assign(**{name: np.nan for name in USED_SCORES if name not in runs})
    if select is not None:
        runs = runs.assign(selection=rules.rule_of(select, list(runs.columns)), reselected=True)
    values = Values(subject_values(cases), structure_values(cases))
    tables = []
    for (dataset, direction), group in runs.groupby(["dataset", "direction"], sort=True):
        references = [
            _row(group[group["kind"] == "baseline"], part, values, BOUNDS.get(method, "baseline"))
            for method, part in _parts(group[group["kind"] == "baseline"], ["method"])
        ]
        rivals = group[group["kind"] != "baseline"]
        classes = sorted(set(rivals["supervision"])) or ["none"]
        for supervision in classes:
            rows = list(_contenders(rivals[rivals["supervision"] == supervision], values, by))
            ranked = _ranked([_recover(row, references) for row in rows])
            protocol = ", ".join(sorted(set(group["protocol"])))
            tables.append(
                Table(str(dataset), str(direction), supervision, protocol, (*ranked, *references))
            )
    return Leaderboard(
        study=", ".join(sorted(set(runs["study"]))),
        selected_by=", ".join(sorted(set(runs["selection"]))),
        by=by,
        tables=tuple(tables),
    )


def subject_values(cases: pd.DataFrame) -> pd.DataFrame:
    """Return ``key metric subject value`` on the target's test cases; before: ``js_before``."""
    by = ["key", "metric", "subject"]
    per_case = _on_test(cases).groupby([*by, "case"], as_index=False)["value"].mean()
    values: pd.DataFrame = per_case.groupby(by, as_index=False)["value"].mean()
    return values


def mean_dice(cases: pd.DataFrame) -> dict[str, float]:
    """Return the mean test Dice of every training by its key, cases weighted as in the table."""
    values = subject_values(cases)
    means = values[values["metric"] == RANKED_BY].groupby("key")["value"].mean()
    return {str(key): float(value) for key, value in means.items()}


def structure_values(cases: pd.DataFrame) -> pd.DataFrame:
    """Return ``key metric structure subject value`` of the structures on the same cases.

    Structures are what Dice is measured of.
    """
    test = _on_test(cases)
    of_structures = test["structure"].isin(test.loc[test["metric"] == RANKED_BY, "structure"])
    by = ["key", "metric", "structure", "subject"]
    values: pd.DataFrame = test[of_structures].groupby(by)["value"].mean().reset_index()
    return values


def _on_test(cases: pd.DataFrame) -> pd.DataFrame:
    test = cases[(cases["role"] == "target_test") & cases["value"].notna()]
    # Sums depend on the order of their terms in the last digit: fix it.
    test = test.sort_values(["key", "subject", "case", "metric", "phase", "structure"])
    test["metric"] = test["metric"].where(test["phase"] != "before", test["metric"] + "_before")
    return test


def _contenders(rivals: pd.DataFrame, values: Values, by: By) -> Iterator[Row]:
    if by == "trial":
        finished = rivals[(rivals["kind"] == "search") & (rivals["status"] == "complete")]
        for _, part in _parts(finished, ["key"]):
            yield replace(_row(part, part, values), trial=f"search {int(part['number'].iloc[0])}")
        return
    rows = [_cell_row(part, values) for _, part in _parts(rivals, ["study", "cell"])]
    if by == "cell":
        yield from rows
        return
    for key in sorted({(row.study, row.method) for row in rows}):
        mine = [row for row in rows if (row.study, row.method) == key]
        chosen = max(mine, key=lambda row: -np.inf if row.blind is None else row.blind)
        yield replace(
            chosen,
            hours=sum(row.hours for row in mine),
            trial_counts={s: sum(row.trial_counts[s] for row in mine) for s in STATUSES},
        )


def scored_runs(cell: pd.DataFrame) -> pd.DataFrame:
    """Return the trainings that stand for a cell: complete, of one setting, chosen blindly.

    They are its confirmations or, while there are none, the search trial that would be confirmed.
    """
    confirmed = cell[(cell["kind"] == "confirm") & (cell["status"] == "complete")]
    if "reselected" in cell:
        # By another rule than the study's: what it chooses may not be what was confirmed.
        chosen = cell[cell["key"] == _chosen(cell)]
        confirmed = confirmed[confirmed["params"].isin(chosen["params"])]
    scored = confirmed if len(confirmed) else cell[cell["key"] == _chosen(cell)]
    if scored["params"].nunique() > 1:
        settings = scored.groupby("params")["blind/score"].mean().fillna(-np.inf)
        scored = scored[scored["params"] == settings.idxmax()]
    return scored


def _cell_row(cell: pd.DataFrame, values: Values) -> Row:
    scored = scored_runs(cell)
    provisional = not (scored["kind"] == "confirm").any()
    return replace(
        _row(cell, scored, values), provisional=provisional, oracle=_oracle(cell, values.subjects)
    )


def _row(cell: pd.DataFrame, scored: pd.DataFrame, values: Values, role: Role = "method") -> Row:
    """Return the row of ``scored`` trainings; all of the cell's trainings count as its cost."""
    first = (scored if len(scored) else cell).iloc[0]
    if role != "method":
        cell, scored = scored, scored[scored["status"] == "complete"]
    mine = values.subjects.merge(scored[["key", "seed"]], on="key")
    per_seed = mine.groupby(["metric", "seed", "subject"])["value"].mean()
    counted = cell[cell["kind"] != "confirm"]["status"].value_counts()
    blind = scored["blind/score"].mean()
    n_seeds = int(scored["seed"].nunique())
    dice = per_seed[per_seed.index.get_level_values("metric") == RANKED_BY]
    by_subject, by_seed = dice.groupby("subject").mean(), dice.groupby("seed").mean()
    return Row(
        study=str(first["study"]),
        cell=str(first["cell"]),
        method=str(first["method"]),
        role=role,
        factors=json.loads(first["factors"] or "{}"),
        n_seeds=n_seeds,
        seeds_expected=max(n_seeds, int(first["seeds"])),
        provisional=False,
        scores={str(name): _summary(part) for name, part in per_seed.groupby("metric")},
        structures=_structures(values.structures[values.structures["key"].isin(scored["key"])]),
        subjects={str(name): float(value) for name, value in by_subject.items()},
        by_seed=_by_seed(dice.reset_index()),
        seed_means=tuple(float(value) for value in by_seed),
        blind=float(blind) if pd.notna(blind) else None,
        trial_counts={status: int(counted.get(status, 0)) for status in STATUSES},
        hours=float(cell["cost/seconds"].sum() / 3600),
    )


def _by_seed(dice: pd.DataFrame) -> dict[str, dict[int, float]]:
    return {
        str(subject): dict(zip(part["seed"].astype(int), part["value"].tolist(), strict=True))
        for subject, part in dice.groupby("subject")
    }


def _summary(values: pd.Series) -> Summary:
    """Summarise values indexed by (metric, seed, subject)."""
    subjects = values.groupby("subject").mean().tolist()
    seeds = values.groupby("seed").mean().tolist()
    return Summary(
        mean=float(np.mean(subjects)),
        sd_subjects=statistics.spread(subjects),
        sd_seeds=statistics.spread(seeds),
        ci95=statistics.mean_interval(subjects),
    )


def _structures(values: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the means by metric and structure: seeds within a subject, then subjects."""
    per_subject = values.groupby(["metric", "structure", "subject"])["value"].mean()
    means = per_subject.groupby(level=["metric", "structure"]).mean().reset_index()
    return {
        str(metric): dict(zip(part["structure"], part["value"].tolist(), strict=True))
        for metric, part in means.groupby("metric")
    }


def _searched(cell: pd.DataFrame) -> list[dict[str, Any]]:
    search = cell[cell["kind"] == "search"].to_dict("records")
    return [{str(name): value for name, value in record.items()} for record in search]


def _chosen(cell: pd.DataFrame) -> str | None:
    """Return the search trial that the study's selection rule chooses."""
    return rules.choose(str(cell["selection"].iloc[0]), _searched(cell))


def _oracle(cell: pd.DataFrame, values: pd.DataFrame) -> Oracle:
    best = _test_dice(selection.choose_oracle(_searched(cell)), values)
    blind = _test_dice(_chosen(cell), values)
    return Oracle(best, None if best is None or blind is None else blind - best)


def _test_dice(key: str | None, values: pd.DataFrame) -> float | None:
    mine = values[(values["key"] == key) & (values["metric"] == RANKED_BY)]["value"]
    return float(mine.mean()) if len(mine) else None


def _recover(row: Row, references: Sequence[Row]) -> Row:
    """Add where the row stands between no adaptation (0) and training on target labels (1)."""
    by_role = {reference.role: reference.dice for reference in references}
    none, target = by_role.get("lower bound"), by_role.get("upper bound")
    if row.dice is None or none is None or target is None or target - none <= SMALLEST_GAP:
        return row
    return replace(row, recovered=(row.dice - none) / (target - none))


def _ranked(rows: Sequence[Row]) -> list[Row]:
    """Order by mean Dice, equal ones sharing a rank; compare each row with the first."""
    scored = sorted((r for r in rows if r.dice is not None), key=lambda r: (-_dice(r), _name(r)))
    missing = sorted((r for r in rows if r.dice is None), key=_name)
    comparisons = [statistics.compare(row.by_seed, scored[0].by_seed) for row in scored[1:]]
    # The first row is chosen by the same figures, which is as if all pairs were compared.
    pairs = len(scored) * (len(scored) - 1) // 2
    adjusted = statistics.holm([comparison.p for comparison in comparisons], of=pairs)
    shared = sorted(set.intersection(*(set(row.subjects) for row in scored))) if scored else []
    table = np.array([[row.subjects[s] for s in shared] for row in scored])
    intervals = statistics.rank_intervals(table) if len(shared) > 1 else [None] * len(scored)
    ranked = []
    for index, row in enumerate(scored):
        rank = 1 + sum(_dice(other) > _dice(row) for other in scored)
        against = None
        if index:
            c, p = comparisons[index - 1], adjusted[index - 1]
            against = Against(
                c.difference, c.ci95, p, c.smallest_detectable, statistics.verdict(c, p)
            )
        ranked.append(replace(row, rank=rank, rank_ci=intervals[index], against_first=against))
    return ranked + missing


def _dice(row: Row) -> float:
    """Return the mean without the digits in which equal sums may differ."""
    return round(row.scores[RANKED_BY].mean, 9)


def _name(row: Row) -> tuple[str, str, str]:
    return row.study, row.cell, row.trial or ""


def _parts(runs: pd.DataFrame, columns: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    for name, part in runs.groupby(columns, sort=True):
        yield str(name[-1]), part
