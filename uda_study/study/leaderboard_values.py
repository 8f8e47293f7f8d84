"""The per-case table as values of subjects, structures and cases on the target's test side."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from uda_study.study.board import RANKED_BY, WorstCase

WORST = 3


class Values:
    """What was measured on the target's test cases, by training."""

    def __init__(self, cases: pd.DataFrame) -> None:
        test = _on_test(cases)
        self._subjects = _Grouped(_by_subject(test))
        self._structures = _Grouped(_by_structure(test))
        dice = test[test["metric"] == RANKED_BY]
        by = ["key", "case", "subject"]
        self._cases = _Grouped(dice.groupby(by)["value"].mean().reset_index())
        self._evaluated = cases.groupby("key")["case"].nunique()

    def subjects(self, trainings: pd.DataFrame) -> pd.DataFrame:
        """Return ``key metric subject value seed`` of the trainings, rows of the runs' table."""
        return self._subjects.of(trainings["key"]).merge(trainings[["key", "seed"]], on="key")

    def structures(self, trainings: pd.DataFrame) -> pd.DataFrame:
        """Return ``key metric structure subject value`` of the trainings."""
        return self._structures.of(trainings["key"])

    def test_dice(self, key: str | None) -> float | None:
        """Return the mean test Dice of a training; None where it has none."""
        mine = self._subjects.of([key])
        dice = mine.loc[mine["metric"] == RANKED_BY, "value"].tolist()
        return float(np.mean(dice)) if dice else None

    def cases_of(self, key: str) -> int | None:
        """Return how many cases the evaluation of a training has measured."""
        return int(self._evaluated[key]) if key in self._evaluated.index else None

    def worst(self, trainings: pd.DataFrame) -> tuple[WorstCase, ...]:
        """Return the cases with the lowest Dice in any of the trainings, each once."""
        mine = self._cases.of(trainings["key"])
        lowest = mine.sort_values(["value", "case", "key"]).drop_duplicates("case").head(WORST)
        seeds = dict(zip(trainings["key"], trainings["seed"].tolist(), strict=True))
        places = _overlays(trainings)
        return tuple(
            WorstCase(case, subject, float(dice), key, int(seeds[key]), places.get(key))
            for key, case, subject, dice in lowest.to_numpy().tolist()
        )


class _Grouped:
    """A table whose rows of a training are found without looking at all others."""

    def __init__(self, table: pd.DataFrame) -> None:
        self._table = table
        self._places = table.groupby("key").indices

    def of(self, keys: Iterable[str | None]) -> pd.DataFrame:
        found = [self._places[key] for key in keys if key in self._places]
        return self._table.iloc[np.sort(np.concatenate(found)) if found else []]


def subject_values(cases: pd.DataFrame) -> pd.DataFrame:
    """Return ``key metric subject value`` on the target's test cases; before: ``js_before``."""
    return _by_subject(_on_test(cases))


def structure_values(cases: pd.DataFrame) -> pd.DataFrame:
    """Return ``key metric structure subject value`` of the structures on the same cases.

    Structures are what Dice is measured of.
    """
    return _by_structure(_on_test(cases))


def mean_dice(cases: pd.DataFrame) -> dict[str, float]:
    """Return the mean test Dice of every training by its key, cases weighted as in the table."""
    values = subject_values(cases[cases["metric"] == RANKED_BY])
    means = values[values["metric"] == RANKED_BY].groupby("key")["value"].mean()
    return {str(key): float(value) for key, value in means.items()}


def _by_subject(test: pd.DataFrame) -> pd.DataFrame:
    by = ["key", "metric", "subject"]
    per_case = test.groupby([*by, "case"], as_index=False)["value"].mean()
    values: pd.DataFrame = per_case.groupby(by, as_index=False)["value"].mean()
    return values


def _by_structure(test: pd.DataFrame) -> pd.DataFrame:
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


def _overlays(trainings: pd.DataFrame) -> dict[str, str]:
    if "artifact_uri" not in trainings:
        return {}
    places = zip(trainings["key"], trainings["artifact_uri"], strict=True)
    return {key: f"{place.rstrip('/')}/overlays.png" for key, place in places}
