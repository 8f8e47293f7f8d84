"""The gates of a promotion: what has to hold before others rely on a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from uda_study.errors import InputError
from uda_study.study import statistics
from uda_study.study.board import Row, Table
from uda_study.study.leaderboard import leaderboard
from uda_study.tracking._mlflow import MlflowClient, ModelVersion
from uda_study.tracking.boards import needed_cases
from uda_study.tracking.query import study_runs

FEWEST_SEEDS = 3
"""A model that others are to rely on comes from a setting whose luck with seeds is known."""


@dataclass(frozen=True)
class Gate:
    """One condition for a promotion, and what was found."""

    name: str
    passed: bool
    detail: str

    def __str__(self) -> str:
        return f"{'passed' if self.passed else 'FAILED'}: {self.name} ({self.detail})"


def standing(client: MlflowClient, runs: pd.DataFrame, cell: str) -> tuple[Table, Row]:
    """Return a cell's row on its study's leaderboard, and the table that it stands in."""
    board = leaderboard(runs, needed_cases(client, runs))
    for table in board.tables:
        for row in table.rows:
            if row.cell == cell and row.role == "method":
                return table, row
    raise InputError.of("cell", "has no row on the leaderboard", repr(cell))


def chosen_blindly(run: Mapping[str, str]) -> Gate:
    """Pass what was chosen without target labels."""
    rule = run["selection"]
    return Gate("unsupervised selection", rule.startswith("blind/"), rule or "rule unknown")


def checked(run: Mapping[str, str]) -> Gate:
    """Pass what comes from a study whose leak checks have all held."""
    found = run.get("checks", "")
    return Gate("leak checks", bool(found), found or "its study was run without them")


def confirmed(row: Row) -> Gate:
    """Pass a setting that was confirmed on all seeds asked for, and on `FEWEST_SEEDS` at least."""
    seeds = 0 if row.provisional else row.n_seeds
    passed = FEWEST_SEEDS <= seeds == row.seeds_expected
    detail = f"{seeds} of {row.seeds_expected} seeds"
    return Gate("confirmed seeds", passed, f"{detail}, {FEWEST_SEEDS} at least")


def worth_adapting(table: Table, row: Row) -> Gate:
    """Pass what is not worse than the unadapted segmenter on the same subjects."""
    name = "not worse than no adaptation"
    bound = next((other for other in table.rows if other.role == "lower bound"), None)
    if bound is None:
        return Gate(name, False, "cannot be compared: the study has no lower bound")
    return _difference(name, row, bound)


def clean(run: Mapping[str, str]) -> Gate:
    """Pass what committed code has trained."""
    commit = run["git_commit"]
    known = bool(commit) and commit != "-"
    return Gate("clean git", known and "dirty" not in commit, commit if known else "commit unknown")


def not_worse(
    client: MlflowClient, run: Mapping[str, str], row: Row, champion: ModelVersion | None
) -> Gate:
    """Pass what is not worse than the alias's present holder on the test subjects of both."""
    name = "not worse than the present champion"
    if champion is None:
        return Gate(name, True, "there is none yet")
    tags = champion.tags
    if any(tags.get(f"uda.{key}") != run[key] for key in ("dataset", "direction", "data_sha")):
        return Gate(name, False, "cannot be compared: the champion was trained on other data")
    try:
        _, held = standing(client, study_runs(client, tags["uda.study"]), tags["uda.cell"])
    except InputError:
        return Gate(name, False, "cannot be compared: the champion's study is not in this store")
    return _difference(name, row, held)


def _difference(name: str, row: Row, other: Row) -> Gate:
    """Pass unless the row's Dice is lower by more than what has no practical meaning."""
    found = statistics.compare(row.by_seed, other.by_seed)
    if found.difference is None:
        return Gate(name, False, "cannot be compared: no test subject in common")
    low, high = found.ci95
    interval = "" if low is None or high is None else f" [{low:+.3f}, {high:+.3f}]"
    detail = f"{found.difference:+.3f} Dice{interval} on {found.n} subjects"
    return Gate(name, found.difference >= -statistics.ROPE, detail)
