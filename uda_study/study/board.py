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
class Ending:
    """A confirmation or baseline that stands for nothing: it diverged, failed, runs or was cut."""

    status: str
    seed: int
    fold: int


@dataclass(frozen=True)
class Cost:
    """What a row has cost beside the hours of all its trainings; None where it is not known.

    ``tuning_hours`` are those of the search, ``run_hours`` the mean of one training that the row
    stands on, and ``shared_stages`` how many stages that others may read its trainings have
    trained; the time of these is shared out among all that could read them.
    ``evaluation_seconds`` is the mean of one case, with its pictures.
    """

    tuning_hours: float = 0.0
    run_hours: float | None = None
    shared_stages: int | None = None
    evaluation_seconds: float | None = None


@dataclass(frozen=True)
class WorstCase:
    """A test case in the training of the row that segments it worst, and where its picture lies.

    ``overlays`` is a path or an address of MLflow; the picture shows that training's three worst
    cases, this one among them. None where the runs' table has no ``artifact_uri``.
    """

    case: str
    subject: str
    dice: float
    training: str
    seed: int
    overlays: str | None


@dataclass(frozen=True)
class Row:
    """One contender or reference; ``provisional`` rows still wait for their confirmations.

    They have no rank while others are confirmed, and are never compared. ``rank`` orders mean
    Dice, ``mean_rank`` is the mean of the ranks among the ranked rows on every subject.

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
    mean_rank: float | None = None
    against_first: Against | None = None
    unfinished: tuple[Ending, ...] = ()
    cost: Cost = Cost()
    worst: tuple[WorstCase, ...] = ()

    @property
    def dice(self) -> float | None:
        """The mean that the row is ranked by."""
        return self.scores[RANKED_BY].mean if RANKED_BY in self.scores else None

    @property
    def verdict(self) -> str | None:
        """What is said of the row: *first*, *provisional*, or what the comparison allows."""
        if self.provisional and self.dice is not None:
            return "provisional"
        if self.against_first is not None:
            return self.against_first.verdict
        return "first" if self.rank == 1 else None


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

    @property
    def reads_target_labels(self) -> bool:
        """Whether settings were chosen by a score that is computed from target labels."""
        return "oracle/" in self.selected_by
