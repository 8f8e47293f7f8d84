"""What the studies of a claim measured, by arm, subject and seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import pandas as pd
from pydantic import AfterValidator

from uda_study.study.board import RANKED_BY
from uda_study.study.leaderboard import subject_values

Setting = str | int | float | bool


def _named(arm: Mapping[str, Setting]) -> Mapping[str, Setting]:
    if "method" not in arm:
        raise ValueError("must name a method")
    return arm


Arm = Annotated[Mapping[str, Setting], AfterValidator(_named)]
"""Which trainings: their ``method``, and what settings of theirs have to be, by full name."""


class NotMeasured(Exception):
    """An arm lacks a finished training of one of the seeds, or the metric in it."""


@dataclass(frozen=True)
class Evidence:
    """The tables of `uda_study.tracking.query`, of all studies of a claim together.

    ``cases`` may also hold what `uda_study.claims.instruments` found.
    """

    runs: pd.DataFrame
    cases: pd.DataFrame

    def by_seed(self, arm: Arm, metric: str, seeds: Sequence[int]) -> dict[str, dict[int, float]]:
        """Return the metric of every target test subject, by seed; after adaptation.

        ``NAME_before`` is the metric NAME before it. Raises `NotMeasured` unless every subject has
        a value of every seed.
        """
        keys = self.keys(arm, seeds)
        values = self._values[self._values["metric"] == metric]
        found: dict[str, dict[int, float]] = {}
        for seed, key in keys.items():
            for subject, value in _of(values, key):
                found.setdefault(subject, {})[seed] = value
        if not found or any(len(of_subject) < len(seeds) for of_subject in found.values()):
            raise NotMeasured(f"{spelled(arm)} lacks {metric}")
        return found

    def means(self, arm: Arm, metric: str, seeds: Sequence[int]) -> dict[int, float]:
        """Return the metric by seed, averaged over the target's test subjects."""
        by_seed = self.by_seed(arm, metric, seeds)
        return {
            seed: sum(values[seed] for values in by_seed.values()) / len(by_seed) for seed in seeds
        }

    def dice(self, arm: Arm, seeds: Sequence[int]) -> dict[int, float]:
        """Return the mean Dice by seed."""
        return self.means(arm, RANKED_BY, seeds)

    def keys(self, arm: Arm, seeds: Sequence[int]) -> dict[int, str]:
        """Return the training of every seed; of several equal ones the first.

        Raises `NotMeasured` for a seed without a finished one.
        """
        runs = self.runs[(self.runs["status"] == "complete") & (self.runs["kind"] != "search")]
        keys: dict[int, str] = {}
        for seed, key, method, params in zip(
            runs["seed"], runs["key"], runs["method"], runs["params"], strict=True
        ):
            settings = {**json.loads(params), "method": method}
            if all(settings.get(name) == value for name, value in arm.items()):
                keys.setdefault(int(seed), str(key))
        missing = [seed for seed in seeds if seed not in keys]
        if missing:
            raise NotMeasured(f"{spelled(arm)} has no finished training of seed {missing[0]}")
        return {seed: keys[seed] for seed in seeds}

    @cached_property
    def _values(self) -> pd.DataFrame:
        return subject_values(self.cases)


def spelled(arm: Arm) -> str:
    """Return the arm as sentences name it.

    >>> spelled({"method": "dam", "depth": "g5"})
    'dam (depth g5)'
    """
    settings = ", ".join(f"{name} {value}" for name, value in arm.items() if name != "method")
    return f"{arm['method']} ({settings})" if settings else str(arm["method"])


def _of(values: pd.DataFrame, key: str) -> list[tuple[str, float]]:
    mine = values[values["key"] == key]
    return [
        (str(subject), float(value))
        for subject, value in zip(mine["subject"], mine["value"], strict=True)
    ]
