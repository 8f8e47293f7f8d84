"""One row of a leaderboard, from the trainings that stand for it and all that it has cost."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from uda_study.study import rules, selection, statistics
from uda_study.study.board import RANKED_BY, Cost, Ending, Oracle, Role, Row, Summary
from uda_study.study.leaderboard_values import Values

STATUSES = ("complete", "pruned", "diverged", "failed")


def cell_row(cell: pd.DataFrame, values: Values) -> Row:
    """Return the row of a cell; provisional as long as nothing of it is confirmed."""
    chosen = chosen_trial(cell)
    scored = _scored(cell, chosen)
    provisional = not (scored["kind"] == "confirm").any()
    best, blind = values.test_dice(oracle_trial(cell)), values.test_dice(chosen)
    oracle = Oracle(best, None if best is None or blind is None else blind - best)
    return replace(row_of(cell, scored, values), provisional=provisional, oracle=oracle)


def reference_row(baselines: pd.DataFrame, values: Values, role: Role) -> Row:
    """Return the row of a baseline method's trainings."""
    finished = baselines[baselines["status"] == "complete"]
    return row_of(baselines, finished, values, role)


def row_of(cell: pd.DataFrame, scored: pd.DataFrame, values: Values, role: Role = "method") -> Row:
    """Return the row of ``scored`` trainings; all of the cell's trainings count as its cost."""
    first = (scored if len(scored) else cell).iloc[0]
    mine = values.subjects(scored)
    per_seed = mine.groupby(["metric", "seed", "subject"])["value"].mean()
    counted = cell[cell["kind"] != "confirm"]["status"].value_counts()
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
        scores=_summaries(per_seed),
        structures=_structures(values.structures(scored)),
        subjects=dict(zip(map(str, by_subject.index), by_subject.tolist(), strict=True)),
        by_seed=_by_seed(dice.reset_index()),
        seed_means=tuple(float(value) for value in by_seed),
        blind=_mean(scored["blind/score"]),
        trial_counts={status: int(counted.get(status, 0)) for status in STATUSES},
        hours=float(cell["cost/seconds"].sum() / 3600),
        unfinished=_unfinished(cell, scored),
        cost=_cost(cell, scored, values),
        worst=values.worst(scored),
    )


def scored_runs(cell: pd.DataFrame) -> pd.DataFrame:
    """Return the trainings that stand for a cell: complete, of one setting, chosen blindly.

    They are its confirmations or, while there are none, the search trial that would be confirmed.
    """
    return _scored(cell, chosen_trial(cell))


def chosen_trial(cell: pd.DataFrame) -> str | None:
    """Return the search trial that the study's selection rule chooses."""
    rule = str(cell["selection"].iloc[0])
    return rules.choose(rule, _searched(cell, (rule, "blind/score", *selection.VALIDATORS)))


def oracle_trial(cell: pd.DataFrame) -> str | None:
    """Return the search trial that target labels would choose."""
    return rules.choose(rules.ORACLE, _searched(cell, (rules.ORACLE,)))


def _scored(cell: pd.DataFrame, chosen: str | None) -> pd.DataFrame:
    confirmed = cell[(cell["kind"] == "confirm") & (cell["status"] == "complete")]
    if "reselected" in cell:
        # By another rule than the study's: what it chooses may not be what was confirmed.
        if chosen is not None:
            setting = cell[cell["key"] == chosen]["params"]
            confirmed = confirmed[confirmed["params"].isin(setting)]
    else:
        confirmed = _standing(cell, confirmed)
    scored = confirmed if len(confirmed) else cell[cell["key"] == chosen]
    if scored["params"].nunique() > 1:
        settings = scored.groupby("params")["blind/score"].mean().fillna(-np.inf)
        scored = scored[scored["params"] == settings.idxmax()]
    return scored


def _standing(cell: pd.DataFrame, confirmed: pd.DataFrame) -> pd.DataFrame:
    """Leave out confirmations of settings that a search, extended since, no longer chooses."""
    top_k = int(cell["top_k"].max()) if "top_k" in cell else 0
    if not 0 < top_k < confirmed["params"].nunique():
        return confirmed
    rule = str(cell["selection"].iloc[0])
    trials = _searched(cell, (rule, "blind/score", *selection.VALIDATORS))
    settings = cell.set_index("key")["params"]
    chosen = list(dict.fromkeys(settings[key] for key in rules.ranking(rule, trials)))[:top_k]
    return confirmed[confirmed["params"].isin(chosen)]


def _searched(cell: pd.DataFrame, scores: Collection[str]) -> list[dict[str, Any]]:
    complete = cell[(cell["kind"] == "search") & (cell["status"] == "complete")]
    wanted = ["key", "number", "status", *(name for name in set(scores) if name in cell)]
    # Column by column: the records of a wide table take ten times as long.
    columns = [complete[name].tolist() for name in wanted]
    return [dict(zip(wanted, values, strict=True)) for values in zip(*columns, strict=True)]


def _unfinished(cell: pd.DataFrame, scored: pd.DataFrame) -> tuple[Ending, ...]:
    """Return the endings of confirmations of the row's setting, or of baselines."""
    left = cell[(cell["kind"] != "search") & (cell["status"] != "complete")]
    if (scored["kind"] == "confirm").any():
        left = left[left["params"].isin(scored["params"])]
    found = left.sort_values(["seed", "fold"])[["status", "seed", "fold"]]
    return tuple(Ending(str(s), int(seed), int(fold)) for s, seed, fold in found.to_numpy())


def _cost(cell: pd.DataFrame, scored: pd.DataFrame, values: Values) -> Cost:
    counted = zip(scored["key"], scored["cost/evaluation_seconds"], strict=True)
    per_case = [seconds / n for key, seconds in counted if (n := values.cases_of(str(key)))]
    run, shared = _mean(scored["cost/seconds"]), cell["cost/shared_stages_trained"]
    return Cost(
        tuning_hours=float(cell[cell["kind"] == "search"]["cost/seconds"].sum() / 3600),
        run_hours=None if run is None else run / 3600,
        shared_stages=int(shared.sum()) if shared.notna().any() else None,
        evaluation_seconds=_mean(pd.Series(per_case, dtype=float)),
    )


def _mean(values: pd.Series) -> float | None:
    mean = float(values.mean())
    return None if math.isnan(mean) else mean


def _by_seed(dice: pd.DataFrame) -> dict[str, dict[int, float]]:
    return {
        str(subject): dict(zip(part["seed"].astype(int), part["value"].tolist(), strict=True))
        for subject, part in dice.groupby("subject")
    }


def _summaries(values: pd.Series) -> dict[str, Summary]:
    """Summarise values indexed by (metric, seed, subject), each metric for itself."""
    of_seeds = _by_metric(values.groupby(["metric", "seed"]).mean())
    return {
        metric: Summary(
            mean=float(np.mean(subjects)),
            sd_subjects=statistics.spread(subjects),
            sd_seeds=statistics.spread(of_seeds[metric]),
            ci95=statistics.mean_interval(subjects),
        )
        for metric, subjects in _by_metric(values.groupby(["metric", "subject"]).mean()).items()
    }


def _by_metric(means: pd.Series) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for metric, value in zip(means.index.get_level_values("metric"), means.tolist(), strict=True):
        found.setdefault(str(metric), []).append(value)
    return found


def _structures(values: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the means by metric and structure: seeds within a subject, then subjects."""
    per_subject = values.groupby(["metric", "structure", "subject"])["value"].mean()
    means = per_subject.groupby(level=["metric", "structure"]).mean().reset_index()
    return {
        str(metric): dict(zip(part["structure"], part["value"].tolist(), strict=True))
        for metric, part in means.groupby("metric")
    }
