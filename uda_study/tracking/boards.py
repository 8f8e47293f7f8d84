"""Compute leaderboards from what MLflow holds, and from nothing else."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from uda_study.study.board import By, Leaderboard
from uda_study.study.leaderboard import NEEDED_SCORES, leaderboard, needed_keys
from uda_study.tracking.query import cases_of, find_study, study_runs

if TYPE_CHECKING:
    from uda_study.tracking.query import Store


def read_board(
    store: Store, studies: Sequence[str], by: By = "cell", select: str | None = None
) -> Leaderboard:
    """Return the leaderboard of the studies that are named; `InputError` for an unknown one.

    Only the cases of trainings that it is computed from are read.
    """
    # Another rule may be any score; and what it chooses is found by its parameters.
    runs = read_runs(store, studies, NEEDED_SCORES if select is None else None)
    return leaderboard(runs, needed_cases(store, runs, by, select), by, select)


def needed_cases(
    store: Store, runs: pd.DataFrame, by: By = "cell", select: str | None = None
) -> pd.DataFrame:
    """Return the measured values that the leaderboard of these trainings is computed from."""
    return cases_of(store, runs[runs["key"].isin(needed_keys(runs, by, select))])


def read_runs(
    store: Store, studies: Sequence[str], scores: Collection[str] | None = None
) -> pd.DataFrame:
    """Return the trainings of all studies that are named, each of them once."""
    names = dict.fromkeys(find_study(store, name) for name in studies)
    return pd.concat([study_runs(store, name, scores) for name in names])
