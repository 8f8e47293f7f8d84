"""Which segmentations somebody should look at, told from numbers alone.

Nothing here knows the truth: a segmentation without a flag may be wrong, one with a flag right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from uda_study.data.outliers import robust_spread

ENOUGH = 8
"""From how many segmentations on one is compared with the others."""

FAR = 3.5
"""How many robust deviations from the median are far (Iglewicz and Hoaglin 1993)."""

MANY = 10
"""More components than this are many, unless the others have as many."""

UNSURE = 0.7
"""A mean probability below this is low."""

# The deviation of the logarithm of volumes is taken to be at least this: 5 % are no difference.
_LEAST_DEVIATION = 0.05


@dataclass(frozen=True)
class Structure:
    """What is known of one structure of one case; ``confidence`` is NaN where none was found."""

    millilitres: float
    components: int
    confidence: float


@dataclass(frozen=True)
class Flag:
    """One reason to look at a case."""

    structure: str
    reason: str
    weight: int = 1


def find_flags(cases: Sequence[Mapping[str, Structure]]) -> list[tuple[Flag, ...]]:
    """Return the flags of each case, whose structures are given by name.

    A structure is flagged that is empty; whose volume is far from the others' (the logarithm, in
    robust deviations of non-empty ones, from `ENOUGH` cases on); that has more than `MANY`
    components and, from `ENOUGH` cases on, more than three times the others' median; or whose mean
    probability is below `UNSURE`.
    """
    names = list(cases[0]) if cases else []
    columns = {name: [case[name] for case in cases] for name in names}
    spreads = {name: _Spread(column) for name, column in columns.items()}
    return [
        tuple(flag for name in names for flag in _flags(name, case[name], spreads[name]))
        for case in cases
    ]


class _Spread:
    """What is usual for one structure among all cases."""

    def __init__(self, column: Sequence[Structure]) -> None:
        self.logs = [math.log(each.millilitres) for each in column if each.millilitres > 0]
        self.middle, self.deviation = robust_spread(self.logs or [0.0], _LEAST_DEVIATION)
        self.usual_components = median(each.components for each in column)
        self.enough = len(column) >= ENOUGH

    def distance(self, millilitres: float) -> float:
        """Return how many deviations a volume is above the others, 0 where they are too few."""
        if len(self.logs) < ENOUGH:
            return 0.0
        return (math.log(millilitres) - self.middle) / self.deviation


def _flags(name: str, found: Structure, spread: _Spread) -> Iterator[Flag]:
    if found.millilitres == 0:
        yield Flag(name, "empty", weight=3)
        return
    distance = spread.distance(found.millilitres)
    if abs(distance) > FAR:
        times = found.millilitres / math.exp(spread.middle)
        size = "large" if distance > 0 else "small"
        yield Flag(name, f"{size}: {times:.2g} times the median volume", weight=2)
    usual = 3 * spread.usual_components if spread.enough else 0
    if found.components > max(MANY, usual):
        yield Flag(name, f"in {found.components} pieces")
    if found.confidence < UNSURE:
        yield Flag(name, f"unsure: mean probability {found.confidence:.2f}")
