"""The paired difference of two methods; the luck of subjects and of seeds is in its interval.

A method's value of a subject differs between seeds, and a seed that is lucky is lucky on all
subjects. An interval over subjects alone takes that luck for merit: with equal methods, three
seeds and a deviation of .03 between seeds it calls one of five methods better in a third of all
studies (`benchmarks/false_positives.py`). So subjects and seeds are crossed random effects here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

BySeed = Mapping[str, Mapping[int, float]]
"""The values of every subject, by seed."""

LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """A mean difference with its standard error and the degrees of freedom of that."""

    mean: float
    error: float
    freedom: float

    @property
    def margin(self) -> float:
        """Half the width of the 95 % interval."""
        return float(stats.t.ppf((1 + LEVEL) / 2, self.freedom)) * self.error

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval."""
        return self.mean - self.margin, self.mean + self.margin

    @property
    def p(self) -> float:
        """The two-sided p of a t test against 0."""
        if self.error == 0:
            return 1.0 if self.mean == 0 else 0.0
        return 2 * float(stats.t.sf(abs(self.mean) / self.error, self.freedom))


def paired(first: BySeed, second: BySeed) -> tuple[list[str], NDArray[np.float64]]:
    """Return the shared subjects and the differences first - second, ``(subjects, seeds)``.

    Seeds are those in which both have all shared subjects; without one, each subject's mean over
    its own seeds counts, as a single column.
    """
    shared = sorted(first.keys() & second.keys())
    seeds = [
        seed
        for seed in sorted({seed for values in first.values() for seed in values})
        if all(seed in first[subject] and seed in second[subject] for subject in shared)
    ]
    if not seeds:
        rows = [[_mean(first[subject]) - _mean(second[subject])] for subject in shared]
    else:
        rows = [[first[s][seed] - second[s][seed] for seed in seeds] for s in shared]
    return shared, np.array(rows, dtype=np.float64).reshape(len(shared), max(len(seeds), 1))


def crossed_difference(differences: NDArray[np.float64]) -> Difference | None:
    """Return the mean of ``(subjects, seeds)`` differences; None for fewer than two subjects.

    In d = mean + subject + seed + rest, the variance of the mean is (MS_subjects + MS_seeds -
    MS_rest) / (subjects x seeds), and never taken for less than with one of the two effects alone;
    its degrees of freedom are Satterthwaite's (Biometrics Bulletin 2, 1946). With a single seed
    only the subjects' part can be estimated.
    """
    n, k = differences.shape
    if n < 2:
        return None
    mean = float(differences.mean())
    of_subjects = k * float(differences.mean(axis=1).var(ddof=1))
    if k == 1:
        return Difference(mean, math.sqrt(of_subjects / n), n - 1)
    of_seeds = n * float(differences.mean(axis=0).var(ddof=1))
    rest = differences - differences.mean(axis=1, keepdims=True) - differences.mean(axis=0) + mean
    of_rest = float((rest**2).sum()) / ((n - 1) * (k - 1))
    both = of_subjects + of_seeds - of_rest
    if both >= max(of_subjects, of_seeds) and both > 0:
        freedom = both**2 / (
            of_subjects**2 / (n - 1) + of_seeds**2 / (k - 1) + of_rest**2 / ((n - 1) * (k - 1))
        )
        return Difference(mean, math.sqrt(both / (n * k)), freedom)
    larger, freedom = max((of_subjects, n - 1), (of_seeds, k - 1))
    return Difference(mean, math.sqrt(larger / (n * k)), freedom)


def _mean(values: Mapping[int, float]) -> float:
    return sum(values.values()) / len(values)
