"""Ranks of methods: how stable they are, and tests on them.

Ranking per subject and averaging the ranks may order methods otherwise than ranking their means
does, and both orders may hang on who is in the test set; Wiesenfarth et al. (Scientific Reports 11,
2021; challengeR) show both with bootstrap intervals over subjects. The tests over several data sets
are those that Demšar (JMLR 7, 2006) recommends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from uda_study.study import statistics
from uda_study.study.paired import LEVEL, BySeed

DIGITS = 9
"""Values that agree in this many digits are equal: sums may differ in the last ones."""


@dataclass(frozen=True)
class Stability:
    """The two orders of ``labels``, their 95 % bootstrap intervals, and the tests between all.

    ``mean_ranks``: ranks per subject, ties sharing theirs, averaged over the subjects of a pair,
    then over pairs. ``means``: the values averaged likewise. Places count from 1, equal ones
    sharing the better. ``kendall_tau`` (b) is between the two; None where one has no order.
    ``significance`` has, by pair and two labels, the p of their paired comparison, adjusted after
    Holm for all comparisons of the pair (`significance`).
    """

    labels: tuple[str, ...]
    subjects: Mapping[str, int]
    means: tuple[float, ...]
    mean_ranks: tuple[float, ...]
    mean_places: tuple[int, ...]
    rank_places: tuple[int, ...]
    mean_places_ci: tuple[tuple[int, int], ...] | None
    rank_places_ci: tuple[tuple[int, int], ...] | None
    kendall_tau: float | None
    significance: Mapping[str, Mapping[tuple[str, str], float]]


@dataclass(frozen=True)
class Friedman:
    """Friedman's chi², Iman and Davenport's F of it, and the p of F (Demšar 2006, section 3.2.2).

    F is infinite where all blocks agree. ``p`` is at least (1 / k!) ^ (blocks - 1), the chance that
    blocks agree altogether, below which no p of ranks can be.
    """

    chi2: float
    f: float
    p: float
    mean_ranks: tuple[float, ...]


def stability(values: Mapping[str, Mapping[str, BySeed]]) -> Stability:
    """Rank by both rules, over the subjects of each pair that all labels have.

    ``values`` holds, by label and pair, every subject's values by seed; seeds are averaged. Every
    label must have the same pairs (`KeyError`), and all must share a subject in each
    (`ValueError`). Intervals need two shared subjects in every pair.
    """
    labels = tuple(values)
    pairs = list(next(iter(values.values()))) if labels else []
    shared = {
        pair: sorted(set.intersection(*(set(values[name][pair]) for name in labels)))
        for pair in pairs
    }
    if not pairs or not all(shared.values()):
        raise ValueError("the methods share no subject in a pair")
    tables = [
        np.array([[_mean(values[name][pair][s]) for s in shared[pair]] for name in labels])
        for pair in pairs
    ]
    ranked = [ranks(table) for table in tables]
    means, mean_ranks = mean_over(tables), mean_over(ranked)
    known = all(len(names) > 1 for names in shared.values())
    drawn = draws(shared)
    return Stability(
        labels=labels,
        subjects={pair: len(names) for pair, names in shared.items()},
        means=tuple(float(value) for value in means),
        mean_ranks=tuple(float(value) for value in mean_ranks),
        mean_places=places(means),
        rank_places=places(-mean_ranks),
        mean_places_ci=_interval(tables, drawn) if known else None,
        rank_places_ci=_interval([-table for table in ranked], drawn) if known else None,
        kendall_tau=kendall(means, -mean_ranks),
        significance={
            pair: significance({name: values[name][pair] for name in labels}) for pair in pairs
        },
    )


def significance(values: Mapping[str, BySeed]) -> dict[tuple[str, str], float]:
    """Return the p of every two labels, below .05 where the leaderboard's words find a difference.

    It is the p of the paired difference's interval, adjusted after Holm for all pairs, or that of
    the Wilcoxon signed-rank test over subjects, whichever is larger (`statistics.verdict`). Labels
    that share fewer than two subjects are left out.
    """
    both = list(combinations(values, 2))
    compared = [statistics.compare(values[a], values[b]) for a, b in both]
    adjusted = statistics.holm([comparison.p for comparison in compared])
    return {
        key: max(p, comparison.signed_rank or 0.0)
        for key, comparison, p in zip(both, compared, adjusted, strict=True)
        if p is not None
    }


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of every row within each column, 1 the highest, equal ones sharing the mean.

    >>> ranks(np.array([[0.9, 0.7], [0.8, 0.7], [0.1, 0.9]])).tolist()
    [[1.0, 2.5], [2.0, 2.5], [3.0, 1.0]]
    """
    ranked: NDArray[np.float64] = stats.rankdata(-values.round(DIGITS), axis=0)
    return ranked


def places(scores: NDArray[np.float64]) -> tuple[int, ...]:
    """Return each score's place, 1 the highest, equal ones sharing the better place."""
    return tuple(int(place) for place in stats.rankdata(-scores.round(DIGITS), method="min"))


def kendall(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Return Kendall's tau-b of two scores; None where either orders nothing."""
    first, second = first.round(DIGITS), second.round(DIGITS)
    if len(set(first.tolist())) < 2 or len(set(second.tolist())) < 2:
        return None
    return round(float(stats.kendalltau(first, second).statistic), DIGITS)


def draws(subjects: Mapping[str, Sequence[str]], seed: int = 0) -> list[NDArray[np.int64]]:
    """Return the subjects drawn anew within every pair, ``(draws, subjects)`` each.

    Pairs of a dataset that test the same people share their draws.
    """
    random = np.random.default_rng(seed)
    found: dict[tuple[str, ...], NDArray[np.int64]] = {}
    people = [(dataset_of(pair), *names) for pair, names in subjects.items()]
    for key in people:
        if key not in found:
            found[key] = statistics.draw_subjects(random, len(key) - 1)
    return [found[key] for key in people]


def dataset_of(pair: str) -> str:
    """Return the dataset of a domain pair, which reads "dataset direction"."""
    return pair.partition(" ")[0]


def mean_over(tables: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return every row's mean over the columns of each table, then over tables."""
    return np.mean([table.mean(axis=1) for table in tables], axis=0).round(DIGITS)  # type: ignore[no-any-return]


def friedman(values: NDArray[np.float64]) -> Friedman:
    """Test whether the rows of ``values`` ``(methods, blocks)`` rank alike; ties are corrected for.

    Needs three methods and two blocks (`ValueError` of scipy).
    """
    k, n = values.shape
    rounded = values.round(DIGITS)
    mean_ranks = tuple(float(rank) for rank in ranks(values).mean(axis=1))
    if (rounded == rounded[0]).all():
        return Friedman(0.0, 0.0, 1.0, mean_ranks)
    chi2 = float(stats.friedmanchisquare(*rounded).statistic)
    rest = n * (k - 1) - chi2
    f = (n - 1) * chi2 / rest if rest > 1e-9 else math.inf
    p = float(stats.f.sf(f, k - 1, (k - 1) * (n - 1)))
    return Friedman(chi2, f, max(p, math.factorial(k) ** -(n - 1.0)), mean_ranks)


def nemenyi(mean_ranks: Sequence[float], blocks: int) -> NDArray[np.float64]:
    """Return the p ``(methods, methods)`` of every difference of mean ranks over ``blocks``.

    Tukey's studentised range at infinite degrees of freedom, which holds the error of all
    comparisons together (Nemenyi 1963; Demšar 2006, section 3.2.2).
    """
    k = len(mean_ranks)
    p = np.ones((k, k))
    for a, b in combinations(range(k), 2):
        apart = abs(mean_ranks[a] - mean_ranks[b]) / nemenyi_error(k, blocks)
        p[a, b] = p[b, a] = stats.studentized_range.sf(apart * math.sqrt(2), k, np.inf)
    return p


def critical_difference(methods: int, blocks: int) -> float:
    """Return by how much mean ranks must differ for Nemenyi's p to be below .05.

    >>> round(critical_difference(4, 14), 2)
    1.25
    """
    q = float(stats.studentized_range.ppf(LEVEL, methods, np.inf)) / math.sqrt(2)
    return q * nemenyi_error(methods, blocks)


def nemenyi_error(methods: int, blocks: int) -> float:
    """Return the standard error of the difference of two mean ranks."""
    return math.sqrt(methods * (methods + 1) / (6 * blocks))


def _interval(
    tables: Sequence[NDArray[np.float64]], drawn: Sequence[NDArray[np.int64]]
) -> tuple[tuple[int, int], ...]:
    means = [table[:, index].mean(axis=2) for table, index in zip(tables, drawn, strict=True)]
    return tuple(statistics.place_intervals(np.mean(means, axis=0).round(DIGITS)))


def _mean(by_seed: Mapping[int, float]) -> float:
    return sum(by_seed.values()) / len(by_seed)
