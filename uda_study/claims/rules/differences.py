"""The paired difference of two arms with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uda_study.claims.evidence import Arm, Evidence, NotMeasured
from uda_study.study.paired import crossed_difference, paired
from uda_study.types import JSON


@dataclass(frozen=True)
class Paired:
    """The mean difference first - second, its 95 % interval, and the p of a t test against 0."""

    mean: float
    interval: tuple[float, float]
    p: float

    def to_json(self) -> dict[str, JSON]:
        """Return the figures, rounded to a ten-thousandth."""
        return {"mean": round(self.mean, 4), "ci95": [round(end, 4) for end in self.interval]}

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.mean:+.3f} [{low:+.3f}, {high:+.3f}]"


def difference(
    evidence: Evidence, first: Arm, second: Arm, metric: str, seeds: Sequence[int]
) -> Paired:
    """Compare two arms; subjects and seeds are crossed random effects, as in the leaderboard.

    Raises `NotMeasured` for fewer than two common subjects.
    """
    _, differences = paired(
        evidence.by_seed(first, metric, seeds), evidence.by_seed(second, metric, seeds)
    )
    found = crossed_difference(differences)
    if found is None:
        raise NotMeasured("a difference needs two subjects")
    interval = (found.mean - found.margin, found.mean + found.margin)
    return Paired(found.mean, interval, found.p)
