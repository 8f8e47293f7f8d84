"""Intervals, paired tests and the words for what they allow one to say.

Two methods are paired by subject and seed, and both are random (`uda_study.study.paired`). At the
sizes of medical test sets t intervals keep their coverage where bootstrap intervals do not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from uda_study.study.paired import LEVEL, BySeed, Difference, crossed_difference, paired

Verdict = Literal[
    "better", "worse", "practically equivalent", "not distinguishable", "descriptive only"
]  # fmt: skip
Interval = tuple[float | None, float | None]

POWER = 0.8
ROPE = 0.01
"""Differences in Dice smaller than this have no practical meaning."""
DRAWS = 1000
"""How often subjects are drawn anew for an interval of ranks."""
SMALLEST_TESTABLE = 6
"""With fewer subjects the smallest two-sided Wilcoxon p is above .05."""


@dataclass(frozen=True)
class Comparison:
    """The paired difference first - second over the ``n`` subjects that both have.

    ``p``, not yet adjusted, is that of the t test that belongs to the interval, and
    ``smallest_detectable`` the true mean difference that it would find with 80 % power.
    ``signed_rank`` is the p of the Wilcoxon signed-rank test over subjects, seeds averaged.
    """

    n: int
    difference: float | None
    ci95: Interval
    p: float | None
    smallest_detectable: float | None
    signed_rank: float | None = None


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the 95 % t interval of the mean; nothing for fewer than two values.

    >>> [round(x, 4) for x in mean_interval([0.6, 0.7, 0.8])]
    [0.4516, 0.9484]
    """
    n = len(values)
    if n < 2:
        return None, None
    mean = float(np.mean(values))
    margin = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * spread(values) / math.sqrt(n)  # type: ignore[operator]
    return mean - margin, mean + margin


def spread(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation; nothing for fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def compare(first: BySeed, second: BySeed) -> Comparison:
    """Compare two methods by their values of every subject and seed, over what both have."""
    shared, differences = paired(first, second)
    if not shared:
        return Comparison(0, None, (None, None), None, None)
    found = crossed_difference(differences)
    if found is None:
        return Comparison(len(shared), float(differences.mean()), (None, None), None, None)
    return Comparison(
        n=len(shared),
        difference=found.mean,
        ci95=found.interval,
        p=found.p,
        smallest_detectable=smallest_detectable(found),
        signed_rank=signed_rank_p(differences.mean(axis=1).tolist()),
    )


def signed_rank_p(differences: Sequence[float]) -> float:
    """Return the two-sided Wilcoxon signed-rank p; 1 when there is no difference at all."""
    if not any(differences):
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)


def holm(p_values: Sequence[float | None], of: int | None = None) -> list[float | None]:
    """Return Holm's adjusted p-values, in the order given; missing ones are no comparisons.

    With ``of``, these are some of that many comparisons, and what is returned are upper bounds.

    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    count = len(known) if of is None else of
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for position, (p, index) in enumerate(known):
        largest = max(largest, min(1.0, (count - position) * p))
        adjusted[index] = largest
    return adjusted


def smallest_detectable(found: Difference) -> float:
    """Return the mean difference that a t test with this error finds with 80 % power at 5 %."""
    return detectable_shift(found.freedom) * found.error


def detectable_shift(freedom: float) -> float:
    """Return the mean difference, in standard errors, that is found with 80 % power.

    >>> round(detectable_shift(1e6), 2)
    2.8
    """
    critical = float(stats.t.ppf((1 + LEVEL) / 2, freedom))

    def missing(shift: float) -> float:
        return POWER - float(stats.nct.sf(critical, freedom, shift))

    return float(optimize.brentq(missing, 1e-3, 100.0))


def verdict(comparison: Comparison, p_adjusted: float | None) -> Verdict:
    """Say what the comparison allows: of the first, seen from the second.

    *better* or *worse*: adjusted p < .05, the interval excludes 0, and the signed-rank test over
    subjects finds a difference, too. That one is not adjusted: with six subjects it cannot get
    below .031, so that among many methods no difference, however large, could be called one. Else
    *practically equivalent*: the interval lies within ± `ROPE`; else *not distinguishable*. Below
    six subjects no signed-rank test can reach .05: *descriptive only*.
    """
    low, high = comparison.ci95
    if comparison.n < SMALLEST_TESTABLE or low is None or high is None:
        return "descriptive only"
    ranks_differ = comparison.signed_rank is not None and comparison.signed_rank < 1 - LEVEL
    if p_adjusted is not None and p_adjusted < 1 - LEVEL and ranks_differ:
        if low > 0:
            return "better"
        if high < 0:
            return "worse"
    return "practically equivalent" if low > -ROPE and high < ROPE else "not distinguishable"


def rank_intervals(
    values: NDArray[np.float64], *, seed: int = 0, draws: int = DRAWS
) -> list[tuple[int, int]]:
    """Return the 95 % bootstrap interval of each row's rank, 1 being the highest mean.

    ``values`` ``(methods, subjects)`` holds one value per method and subject; subjects are drawn
    with replacement, the same ones for all methods.
    """
    drawn = draw_subjects(np.random.default_rng(seed), values.shape[1], draws)
    return place_intervals(values[:, drawn].mean(axis=2))


def draw_subjects(
    random: np.random.Generator, subjects: int, draws: int = DRAWS
) -> NDArray[np.int64]:
    """Return the indices ``(draws, subjects)`` of subjects drawn with replacement."""
    return random.integers(0, subjects, size=(draws, subjects))


def place_intervals(scores: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return each row's 95 % interval of places over the draws; ``scores`` ``(methods, draws)``.

    The highest score has place 1, and equal ones share the better place.
    """
    places = np.array([(scores > row).sum(axis=0) + 1 for row in scores])
    tail = 100 * (1 - LEVEL) / 2
    low = np.percentile(places, tail, axis=1, method="lower")
    high = np.percentile(places, 100 - tail, axis=1, method="higher")
    return [(int(a), int(b)) for a, b in zip(low, high, strict=True)]
