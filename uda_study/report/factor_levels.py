"""A factor with ordered values, read in blocks: the same seeds and subjects at every value."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uda_study.study import statistics
from uda_study.study.board import Row, Table
from uda_study.study.statistics import Comparison, Interval, Verdict
from uda_study.types import JSON

_FEWEST = 3
_NUMBERED = re.compile(r"(.*?)(\d+(?:\.\d+)?)")


@dataclass(frozen=True, eq=False)
class FactorCurve:
    """Dice ``(values, subjects, seeds)`` at the ordered values of a factor, all else alike.

    ``setting`` names all else. Only confirmations count, and of them the seeds that all values
    have.
    """

    factor: str
    setting: str
    values: tuple[str, ...]
    subjects: tuple[str, ...]
    seeds: tuple[int, ...]
    dice: NDArray[np.float64]

    @property
    def means(self) -> list[float]:
        """The mean at every value."""
        return [float(mean) for mean in self.dice.mean(axis=(1, 2))]

    @property
    def intervals(self) -> list[Interval]:
        """The 95 % interval of each mean over subjects, seeds averaged within them."""
        return [statistics.mean_interval(row.tolist()) for row in self.dice.mean(axis=2)]

    @property
    def pairs(self) -> int:
        """How many pairs of values there are."""
        return len(self.values) * (len(self.values) - 1) // 2

    def compare(self, first: int, second: int) -> Comparison:
        """Compare two values, first - second."""
        return statistics.compare(self._by_seed(first), self._by_seed(second))

    def _by_seed(self, value: int) -> dict[str, dict[int, float]]:
        return {
            subject: dict(zip(self.seeds, row.tolist(), strict=True))
            for subject, row in zip(self.subjects, self.dice[value], strict=True)
        }


@dataclass(frozen=True)
class Step:
    """A comparison of two values of a factor; p is adjusted after Holm for all pairs of values."""

    kind: str
    names: str
    found: Comparison
    p_holm: float | None
    verdict: Verdict


def in_order(values: Sequence[JSON]) -> list[JSON] | None:
    """Return the distinct values in order, if they are numbers or share a name that numbers end.

    >>> in_order(["g7", "g3", "g5"]), in_order([0.5, 0.1]), in_order(["a", "b"])
    (['g3', 'g5', 'g7'], [0.1, 0.5], None)
    """
    distinct: dict[str, JSON] = {str(value): value for value in values}
    keys = {name: _key(value) for name, value in distinct.items()}
    known = {name: key for name, key in keys.items() if key is not None}
    if len(known) < len(keys) or len({prefix for prefix, _ in known.values()}) > 1:
        return None
    return [distinct[name] for name in sorted(distinct, key=lambda name: known[name])]


def factor_curves(table: Table) -> Iterator[FactorCurve]:
    """Yield a curve per ordered factor and setting of the others that has three values or more."""
    rows = [
        row for row in table.rows if row.role == "method" and not row.provisional and row.by_seed
    ]
    for factor in sorted({name for row in rows for name in row.factors}):
        groups: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            if factor in row.factors:
                groups.setdefault((row.method, _setting(row, factor)), []).append(row)
        several = len({method for method, _ in groups}) > 1
        for (method, setting), group in groups.items():
            curve = _curve(factor, group)
            if curve is not None:
                parts = [method] if several else []
                words = ", ".join([*parts, *([setting] if setting else [])])
                yield FactorCurve(factor, words, *curve)


def steps(curve: FactorCurve) -> list[Step]:
    """Return the differences of the best interior value and both ends, then of other neighbours."""
    last = len(curve.values) - 1
    best = max(range(1, last), key=lambda place: curve.means[place])
    pairs = [(best, 0), (best, last)]
    ends = {frozenset(pair) for pair in pairs}
    pairs += [(n + 1, n) for n in range(last) if frozenset((n, n + 1)) not in ends]
    found = [curve.compare(*pair) for pair in pairs]
    adjusted = statistics.holm([one.p for one in found], of=curve.pairs)
    return [
        Step(
            "best interior − end" if place < 2 else "neighbours",
            f"{curve.values[first]} − {curve.values[second]}",
            one,
            p,
            statistics.verdict(one, p),
        )
        for place, ((first, second), one, p) in enumerate(zip(pairs, found, adjusted, strict=True))
    ]


def _curve(
    factor: str, rows: Sequence[Row]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...], NDArray[np.float64]] | None:
    order = in_order([row.factors[factor] for row in rows])
    if order is None or len(order) < _FEWEST or len(order) < len(rows):
        return None
    at = {str(row.factors[factor]): row.by_seed for row in rows}
    levels = [at[str(value)] for value in order]
    subjects = sorted(set.intersection(*(set(level) for level in levels)))
    if not subjects:
        return None
    seeds = sorted(
        set.intersection(
            *({seed for values in level.values() for seed in values} for level in levels)
        )
    )
    # Where single values are missing, either their subjects go or their seeds: what keeps more.
    whole = [s for s in subjects if all(set(seeds) <= level[s].keys() for level in levels)]
    common = [k for k in seeds if all(k in level[s] for level in levels for s in subjects)]
    if len(whole) * len(seeds) > len(subjects) * len(common):
        subjects = whole
    else:
        seeds = common
    if not subjects or not seeds:
        return None
    dice = [[[level[s][seed] for seed in seeds] for s in subjects] for level in levels]
    return tuple(map(str, order)), tuple(subjects), tuple(seeds), np.array(dice)


def _setting(row: Row, factor: str) -> str:
    others = {k: v for k, v in row.factors.items() if k not in (factor, "direction", "method")}
    return ", ".join(f"{name.rpartition('.')[2]} {value}" for name, value in others.items())


def _key(value: JSON) -> tuple[str, float] | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return ("", float(value)) if math.isfinite(value) else None
    match = _NUMBERED.fullmatch(value) if isinstance(value, str) else None
    return (match[1], float(match[2])) if match else None
