"""Spearman's rank correlation with an interval, over all pairs or within strata."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from uda_study.study.paired import LEVEL

HOW = "95 % interval by Fisher's z with the error of Bonett and Wright (2000)"
"""How the interval is made, for captions."""


@dataclass(frozen=True)
class Correlation:
    """Spearman's rho of ``n`` pairs; no interval below five, nor where all are in one order."""

    rho: float
    n: int
    ci95: tuple[float, float] | None

    def __str__(self) -> str:
        text = _number(self.rho)
        if self.ci95 is not None:
            text += f" [{_number(self.ci95[0])}, {_number(self.ci95[1])}]"
        return text


def spearman(
    first: Sequence[float], second: Sequence[float], strata: Sequence[Hashable] | None = None
) -> Correlation | None:
    """Return the rank correlation; None for fewer than three pairs or where either is constant.

    With ``strata``, one name per pair, both are ranked within each stratum and the ranks centred
    there, so that differences between strata count for nothing: the partial correlation of ranks
    given the stratum, whose error has one degree of freedom less per further stratum. The interval
    is atanh(rho) ± 1.96 sqrt((1 + rho² / 2) / (n - 3 - k)) (Bonett and Wright, Psychometrika 65,
    2000), with k = strata - 1.
    """
    names = list(strata) if strata is not None else [0] * len(first)
    x, y = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    groups = [
        np.array([name == wanted for name in names], dtype=bool) for wanted in dict.fromkeys(names)
    ]
    groups = [group for group in groups if group.sum() > 1]
    if not groups or sum(group.sum() for group in groups) < 3:
        return None
    ranks = np.concatenate([[_centred(x[group]), _centred(y[group])] for group in groups], axis=1)
    lengths = np.sqrt((ranks**2).sum(axis=1))
    if not lengths.all():
        return None
    rho = float(np.clip((ranks[0] * ranks[1]).sum() / lengths.prod(), -1, 1))
    n = ranks.shape[1]
    freedom = n - 3 - (len(groups) - 1)
    if freedom < 2 or abs(rho) > 1 - 1e-9:
        return Correlation(rho, n, None)
    margin = float(stats.norm.ppf((1 + LEVEL) / 2)) * math.sqrt((1 + rho**2 / 2) / freedom)
    middle = math.atanh(rho)
    return Correlation(rho, n, (math.tanh(middle - margin), math.tanh(middle + margin)))


def _centred(values: np.ndarray) -> np.ndarray:
    ranks: np.ndarray = stats.rankdata(values)
    centred: np.ndarray = ranks - ranks.mean()
    return centred


def _number(value: float) -> str:
    text = f"{value:.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")
