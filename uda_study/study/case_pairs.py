"""Two rows of leaderboards, paired by case, subject and seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from uda_study.errors import InputError
from uda_study.study.board import RANKED_BY
from uda_study.study.measure_pairs import (
    MeasurePair,
    by_metric,
    mean,
    measures,
    order,
    paired_seeds,
    structures,
    verdict,
)
from uda_study.study.paired import BySeed
from uda_study.study.rope import Rope, rope_over_subjects
from uda_study.study.row_names import Side
from uda_study.study.statistics import SMALLEST_TESTABLE


@dataclass(frozen=True)
class CasePair:
    """The Dice of a case on both sides by seed, and the means of the other metrics.

    ``typical`` are the keys of the trainings whose Dice on this case is nearest their side's mean.
    """

    case: str
    subject: str
    first: Mapping[int, float]
    second: Mapping[int, float]
    others: Mapping[str, tuple[float, float]]
    typical: tuple[str, str]

    @property
    def means(self) -> tuple[float, float]:
        """The means over each side's seeds."""
        return mean(self.first), mean(self.second)

    @property
    def difference(self) -> float:
        """First minus second, in Dice."""
        first, second = self.means
        return first - second

    @property
    def span(self) -> tuple[float, float] | None:
        """The smallest and the largest difference of a seed that both have; None without one."""
        seeds = self.first.keys() & self.second.keys()
        differences = [self.first[seed] - self.second[seed] for seed in seeds]
        return (min(differences), max(differences)) if differences else None


@dataclass(frozen=True)
class Pairing:
    """Two rows side by side, on the cases that both were tested on.

    ``values`` are the Dice of both by subject and seed, ``seeds`` those that are paired: without
    any, each subject's mean over its own seeds counts. ``left_out`` counts the subjects that only
    the first and only the second was tested on, ``adjusted_for`` the pairs of rows that p is
    adjusted for. ``cases`` begin with the largest difference. ``rope`` is None below six subjects.
    ``unlike`` counts the cases whose files differ between the sides' studies, None if unknown.
    """

    first: Side
    second: Side
    subjects: tuple[str, ...]
    left_out: tuple[int, int]
    seeds: tuple[int, ...]
    adjusted_for: int
    values: tuple[BySeed, BySeed]
    measures: tuple[MeasurePair, ...]
    structures: tuple[MeasurePair, ...]
    cases: tuple[CasePair, ...]
    rope: Rope | None = None
    unlike: int | None = 0

    @property
    def dice(self) -> MeasurePair:
        """What the rows are ranked by."""
        return self.measures[0]


def pair(first: Side, second: Side, cases: pd.DataFrame) -> Pairing:
    """Pair two rows over the test cases that both have; ``cases`` is the per-case table.

    Raises `InputError` where they share no subject, or are measured of other structures.
    """
    tables = [_of(side, cases) for side in (first, second)]
    tested = [_tested(table) for table in tables]
    shared = set(tested[0]) & set(tested[1])
    if not shared:
        raise InputError.of(
            "A and B", "must be tested on the same subjects", "none in common",
            "compare rows of studies that split the subjects alike",
        )  # fmt: skip
    if (of_first := _structures_of(tables[0])) != (of_second := _structures_of(tables[1])):
        raise InputError.of(
            "A and B", "must be measured of the same structures",
            f"{', '.join(sorted(of_first))} and {', '.join(sorted(of_second))}",
        )  # fmt: skip
    one, other = (table[table["case"].isin(list(shared))] for table in tables)
    values = by_metric(one)[RANKED_BY], by_metric(other)[RANKED_BY]
    subjects = tuple(sorted(values[0].keys() & values[1].keys()))
    pairs = _pairs_of_ranking(first, second)
    dice, *others = measures(one, other, subjects, max(pairs, 1))
    p = _p_of_leaderboard(first, second, dice.comparison.p, pairs)
    everyone = [set(table.values()) for table in tested]
    return Pairing(
        first=first,
        second=second,
        subjects=subjects,
        left_out=(len(everyone[0] - everyone[1]), len(everyone[1] - everyone[0])),
        seeds=paired_seeds(*values, subjects),
        adjusted_for=pairs,
        values=values,
        measures=(
            replace(dice, p=p, verdict=verdict(RANKED_BY, dice.comparison, p)),
            *others,
        ),
        structures=structures(one, other, subjects),
        cases=tuple(sorted(_cases(one, other), key=_rank)),
        rope=rope_over_subjects(*values) if len(subjects) >= SMALLEST_TESTABLE else None,
    )


def _rank(case: CasePair) -> tuple[float, str]:
    """Return what puts the largest difference first, without the digits in which equals differ."""
    return -round(abs(case.difference), 9), case.case


def extremes(pairing: Pairing, most: int) -> tuple[CasePair, ...]:
    """Return up to ``most`` cases where the first leads most, then as many where the second does.

    Cases without a difference are none of these.
    """
    ahead = [case for case in pairing.cases if case.difference > 0][:most]
    return (*ahead, *[case for case in pairing.cases if case.difference < 0][:most])


def _of(side: Side, cases: pd.DataFrame) -> pd.DataFrame:
    """Return the side's values on test cases after adaptation, with their seeds."""
    mine = cases[cases["key"].isin(list(side.trainings)) & (cases["role"] == "target_test")]
    mine = mine[(mine["phase"] != "before") & mine["value"].notna()]
    return mine.assign(seed=mine["key"].map(dict(side.trainings)))


def _tested(table: pd.DataFrame) -> dict[str, str]:
    """Return the subjects of the cases that have a Dice."""
    dice = table[table["metric"] == RANKED_BY]
    return dict(zip(dice["case"], dice["subject"], strict=True))


def _structures_of(table: pd.DataFrame) -> set[str]:
    return set(table.loc[table["metric"] == RANKED_BY, "structure"])


def _pairs_of_ranking(first: Side, second: Side) -> int:
    """Return the pairs of rows in the ranking that both stand in; 0 where there is none."""
    ranking = {(s.row.study, s.dataset, s.direction, s.supervision) for s in (first, second)}
    together = len(ranking) == 1 and first.ranked and second.ranked
    return first.ranked * (first.ranked - 1) // 2 if together else 0


def _p_of_leaderboard(first: Side, second: Side, p: float | None, pairs: int) -> float | None:
    """Return Dice's p, adjusted for all pairs of a common ranking.

    For a pair with the ranking's first row it is the leaderboard's; for any other p times the
    number of pairs, which Holm's never exceeds.
    """
    against = [side.row.against_first for side in (first, second)]
    if p is None or not pairs:
        return p
    known = [found for found in against if found is not None]
    if len(known) == 1 and known[0].p_holm is not None:
        return known[0].p_holm
    return min(1.0, pairs * p)


def _cases(one: pd.DataFrame, other: pd.DataFrame) -> Iterator[CasePair]:
    subjects = _tested(one)
    tables = [t[t["case"].isin(list(subjects))] for t in (one, other)]
    means = [t.groupby(["metric", "case", "key", "seed"])["value"].mean() for t in tables]
    per_seed = [m.groupby(level=["metric", "case", "seed"]).mean() for m in means]
    overall = [m.groupby(level=["metric", "case"]).mean() for m in per_seed]
    metrics = set.intersection(*(set(m.index.get_level_values("metric")) for m in overall))
    for case, subject in sorted(subjects.items()):
        seeds = [m.loc[RANKED_BY, case] for m in per_seed]
        keys = [m.loc[RANKED_BY, case] for m in means]
        others = {
            name: (float(overall[0][name, case]), float(overall[1][name, case]))
            for name in order(metrics - {RANKED_BY})
            if (name, case) in overall[0].index and (name, case) in overall[1].index
        }
        yield CasePair(
            case=case,
            subject=subject,
            first={int(k): float(v) for k, v in seeds[0].items()},
            second={int(k): float(v) for k, v in seeds[1].items()},
            others=others,
            typical=(_typical(keys[0], seeds[0]), _typical(keys[1], seeds[1])),
        )


def _typical(by_training: pd.Series, by_seed: pd.Series) -> str:
    """Return the key of the training that is nearest the mean over seeds, of equals the first."""
    distance = (by_training - by_seed.mean()).abs().round(9).reset_index()
    return str(distance.sort_values(["value", "seed", "key"])["key"].iloc[0])
