"""What a leaderboard says, as frozen values; `uda_study.study.leaderboard` computes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from uda_study.study.statistics import Interval, Verdict
from uda_study.types import JSON

By = Literal["cell", "method", "trial"]
Role = Literal["method", "lower bound", "upper bound", "baseline"]

RANKED_BY = "dice"


@dataclass(frozen=True)
class Summary:
    """A metric over subjects; the spreads over seeds and over subjects are kept apart."""

    mean: float
    sd_subjects: float | None
    sd_seeds: float | None
    ci95: Interval


@dataclass(frozen=True)
class Oracle:
    """Test Dice of the trial that target labels would have chosen; gap: the blind choice's - it."""

    dice: float | None = None
    gap: float | None = None


@dataclass(frozen=True)
class Against:
    """The paired comparison with the table's first row; p is adjusted after Holm."""

    difference: float | None
    ci95: Interval
    p_holm: float | None
    smallest_detectable: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Row:
    """One contender or reference; ``provisional`` rows still wait for their confirmations.

    ``by_seed`` holds the Dice of every test subject and seed, ``subjects`` that of every subject,
    averaged over seeds, and ``seed_means`` that of every seed, averaged over subjects;
    ``structures`` the mean of every metric that is measured of single structures, by metric and
    structure.
    """

    study: str
    cell: str
    method: str
    role: Role
    factors: Mapping[str, JSON]
    n_seeds: int
    seeds_expected: int
    provisional: bool
    scores: Mapping[str, Summary]
    structures: Mapping[str, Mapping[str, float]]
    subjects: Mapping[str, float]
    by_seed: Mapping[str, Mapping[int, float]]
    seed_means: tuple[float, ...]
    blind: float | None
    trial_counts: Mapping[str, int]
    hours: float
    trial: str | None = None
    oracle: Oracle = Oracle()
    recovered: float | None = None
    rank: int | None = None
    rank_ci: tuple[int, int] | None = None
    against_first: Against | None = None

    @property
    def dice(self) -> float | None:
        """The mean that the row is ranked by."""
        return self.scores[RANKED_BY].mean if RANKED_BY in self.scores else None


@dataclass(frozen=True)
class Table:
    """What competes: one dataset, one direction, one supervision class; references come last."""

    dataset: str
    direction: str
    supervision: str
    protocol: str
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Leaderboard:
    """All tables of one or several studies, and the score that chose within each cell."""

    study: str
    selected_by: str
    by: By
    tables: tuple[Table, ...]
