"""The Bayesian signed-rank test with a region of practical equivalence.

Benavoli, Corani, Demšar and Zaffalon (JMLR 18, 2017): differences are drawn from a
Dirichlet process whose prior is half an observation of no difference. The mean of two differences
of one draw lies above the region, in it or below it; counted is how often each is the likeliest.
It is no test of a hypothesis: nothing is adjusted for many comparisons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uda_study.study.across import Contender, clusters
from uda_study.study.paired import BySeed, paired
from uda_study.study.ranking import DIGITS
from uda_study.study.statistics import ROPE

PRIOR = 0.5
"""The weight of the prior's observation, against 1 of every other."""
DRAWS = 50_000
AT_ONCE = 5_000


@dataclass(frozen=True)
class Rope:
    """The posterior probabilities that a method is better, as good as or worse than another.

    "As good" means by no more than ``rope`` Dice. ``n`` differences of ``unit``, subjects or
    independent domain pairs, were looked at; without one the prior's are left: equivalent.
    """

    better: float
    equivalent: float
    worse: float
    n: int
    unit: str
    rope: float = ROPE


def rope_over_subjects(first: BySeed, second: BySeed, *, seed: int = 0) -> Rope:
    """Compare two methods within a domain pair over shared subjects, seeds averaged."""
    _, differences = paired(first, second)
    return _rope(differences.mean(axis=1).tolist(), "subjects", seed)


def rope_over_pairs(first: Contender, second: Contender, *, seed: int = 0) -> Rope:
    """Compare two methods over the domain pairs that both have; those that share people are one."""
    shared = sorted(first.dice.keys() & second.dice.keys())
    differences = np.array([first.dice[pair] - second.dice[pair] for pair in shared])
    blocks = [float(differences[list(block)].mean()) for block in clusters(shared)]
    return _rope(blocks, "independent domain pairs", seed)


def _rope(differences: Sequence[float], unit: str, seed: int) -> Rope:
    # Without the last digits: a difference of exactly .01 lies in the region.
    given = np.array([0.0, *differences])
    sums = np.add.outer(given, given).round(DIGITS)
    above, below = sums > 2 * ROPE, sums < -2 * ROPE
    random = np.random.default_rng(seed)
    prior = [PRIOR, *[1.0] * len(differences)]
    counts = np.zeros(3)
    for _ in range(DRAWS // AT_ONCE):
        weights = random.dirichlet(prior, AT_ONCE)
        worse = ((weights @ below) * weights).sum(axis=1)
        better = ((weights @ above) * weights).sum(axis=1)
        likeliest = np.argmax([1 - worse - better, better, worse], axis=0)
        counts += np.bincount(likeliest, minlength=3)
    equivalent, better, worse = (counts / counts.sum()).tolist()
    return Rope(better, equivalent, worse, len(differences), unit)
