"""The metrics of two rows, paired by subject and seed, and the word that each allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from uda_study import plugins
from uda_study.metric import Metric
from uda_study.study import statistics
from uda_study.study.board import RANKED_BY
from uda_study.study.leaderboard import structure_values, subject_values
from uda_study.study.leaderboard_text import SHOWN
from uda_study.study.paired import BySeed
from uda_study.study.statistics import Comparison, Verdict

Better = Literal["higher", "lower", "nearest 0"]
"""Which values are better; a metric that is to be small and has negative values is best at 0."""
Word = Verdict | Literal["equal"]
"""The words of the protocol; ``equal`` where no value differs at all."""


@dataclass(frozen=True)
class MeasurePair:
    """A metric of both sides, of all structures (``structure`` None) or of one.

    ``first`` and ``second`` are means over the shared subjects and seeds. ``p`` is adjusted where
    both rows stand in one ranking; ``verdict`` is of the first, seen from the second, and None of a
    single structure, for which no word is earned, and of metrics that are best at 0.
    """

    metric: str
    structure: str | None
    unit: str
    better: Better
    first: float
    second: float
    comparison: Comparison
    p: float | None
    verdict: Word | None


def measures(
    first: pd.DataFrame, second: pd.DataFrame, subjects: Sequence[str], pairs: int
) -> tuple[MeasurePair, ...]:
    """Compare every metric that both tables have over these subjects, Dice first.

    The tables have the columns of the per-case table and ``seed``. p is multiplied by ``pairs``.
    """
    one, other = by_metric(first), by_metric(second)
    return tuple(
        found
        for name in order(one.keys() & other.keys())
        if (found := _measure(name, one[name], other[name], subjects, pairs)) is not None
    )


def structures(
    first: pd.DataFrame, second: pd.DataFrame, subjects: Sequence[str]
) -> tuple[MeasurePair, ...]:
    """Compare every metric of single structures; nothing where there is but one structure.

    p is not adjusted.
    """
    tables = [(structure_values(table), table) for table in (first, second)]
    names = set.intersection(*(set(values["structure"]) for values, _ in tables))
    if len(names) < 2:
        return ()
    found = []
    for name in sorted(names):
        one, other = (_folded(v[v["structure"] == name], table) for v, table in tables)
        found += [
            measure
            for metric in order(one.keys() & other.keys())
            if (measure := _measure(metric, one[metric], other[metric], subjects, 0, name))
        ]
    return tuple(sorted(found, key=lambda m: order({f.metric for f in found}).index(m.metric)))


def by_metric(table: pd.DataFrame) -> dict[str, BySeed]:
    """Return the values of a table with ``seed`` by metric, subject and seed, folds averaged."""
    return _folded(subject_values(table), table)


def _folded(values: pd.DataFrame, table: pd.DataFrame) -> dict[str, BySeed]:
    seeds = dict(zip(table["key"], table["seed"].tolist(), strict=True))
    values = values.assign(seed=values["key"].map(seeds))
    means = values.groupby(["metric", "subject", "seed"])["value"].mean().reset_index()
    found: dict[str, dict[str, dict[int, float]]] = {}
    columns = (means[name].tolist() for name in ("metric", "subject", "seed", "value"))
    for metric, subject, seed, value in zip(*columns, strict=True):
        found.setdefault(metric, {}).setdefault(subject, {})[int(seed)] = value
    return dict(found)


def order(names: AbstractSet[str]) -> list[str]:
    """Return Dice, what tables show beside it, then the others; those that are installed."""
    begin = [name for name in (RANKED_BY, *SHOWN) if name in names]
    installed = plugins.names("metrics")
    return [name for name in [*begin, *sorted(names - set(begin))] if name in installed]


def _measure(
    metric: str, first: BySeed, second: BySeed, subjects: Sequence[str], pairs: int,
    structure: str | None = None,
) -> MeasurePair | None:  # fmt: skip
    """Compare one metric over the subjects that have a Dice; None where none has it."""
    shared = tuple(s for s in subjects if s in first and s in second)
    if not shared:
        return None
    first, second = ({s: values[s] for s in shared} for values in (first, second))
    plugin = plugins.load("metrics", metric, Metric)
    better: Better = "higher" if plugin.higher_is_better else "lower"
    if better == "lower" and _negative(first, second):
        better = "nearest 0"
    comparison = statistics.compare(first, second)
    p = None if comparison.p is None else min(1.0, max(pairs, 1) * comparison.p)
    seeds = paired_seeds(first, second, shared)
    return MeasurePair(
        metric=metric,
        structure=structure,
        unit=plugin.unit,
        better=better,
        first=_mean_of(first, seeds),
        second=_mean_of(second, seeds),
        comparison=comparison,
        p=p,
        verdict=None if structure else verdict(metric, comparison, p, better),
    )


def _negative(*sides: BySeed) -> bool:
    return any(v < 0 for side in sides for values in side.values() for v in values.values())


def verdict(
    metric: str, found: Comparison, p: float | None, better: Better = "higher"
) -> Word | None:
    """Say what the comparison allows of the first, seen from the second."""
    low, high = found.ci95
    if found.difference == low == high == 0:
        return "equal"
    if better == "nearest 0":
        return None
    if better == "lower" and low is not None and high is not None:
        found = replace(found, ci95=(-high, -low))
    word = statistics.verdict(found, p)
    # What is too small to matter is laid down for Dice alone.
    small = word == "practically equivalent" and metric != RANKED_BY
    return "not distinguishable" if small else word


def paired_seeds(first: BySeed, second: BySeed, subjects: Sequence[str]) -> tuple[int, ...]:
    """Return the seeds in which both have all subjects, as `statistics.compare` pairs them."""
    every = [set(values[subject]) for values in (first, second) for subject in subjects]
    return tuple(sorted(set.intersection(*every)))


def _mean_of(values: BySeed, seeds: tuple[int, ...]) -> float:
    """Return the mean over subjects of their means over these seeds, over their own without."""
    means = [
        mean({seed: v for seed, v in mine.items() if seed in seeds} if seeds else mine)
        for mine in values.values()
    ]
    return sum(means) / len(means)


def mean(values: Mapping[int, float]) -> float:
    """Return the mean over seeds."""
    return sum(values.values()) / len(values)
