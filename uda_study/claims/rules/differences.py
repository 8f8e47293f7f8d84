"""The paired difference of two arms, and how a finding writes it down."""

from __future__ import annotations

from collections.abc import Sequence

from uda_study.claims.evidence import Arm, Evidence, NotMeasured
from uda_study.study.paired import Difference, crossed_difference, paired
from uda_study.types import JSON


def difference(
    evidence: Evidence, first: Arm, second: Arm, metric: str, seeds: Sequence[int]
) -> Difference:
    """Compare two arms; subjects and seeds are crossed random effects, as in the leaderboard.

    Raises `NotMeasured` for fewer than two common subjects.
    """
    _, differences = paired(
        evidence.by_seed(first, metric, seeds), evidence.by_seed(second, metric, seeds)
    )
    found = crossed_difference(differences)
    if found is None:
        raise NotMeasured("a difference needs two subjects")
    return found


def figures(found: Difference) -> dict[str, JSON]:
    """Return mean and interval, rounded to a ten-thousandth."""
    return {"mean": round(found.mean, 4), "ci95": [round(end, 4) for end in found.interval]}


def words(found: Difference) -> str:
    """Return mean and interval as in ``+0.022 [-0.003, +0.048]``."""
    low, high = found.interval
    return f"{found.mean:+.3f} [{low:+.3f}, {high:+.3f}]"
