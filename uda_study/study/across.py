"""Settings that stand in several tables: means, ranks and tests over domain pairs.

A domain pair is one table of the leaderboard, a dataset and a direction. A->B and B->A show the
same people, and so do A->B and A->C: pairs of a dataset that share a domain, directly or through
other pairs, are one cluster, and only clusters count as independent. Tests are made on one value
per cluster and setting, the mean Dice of its pairs, and on nothing less than six clusters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from uda_study.study import ranking
from uda_study.study.board import By, Leaderboard, Row, Table
from uda_study.study.paired import LEVEL
from uda_study.study.statistics import SMALLEST_TESTABLE, place_intervals, signed_rank_p
from uda_study.types import Direction


@dataclass(frozen=True)
class Contender:
    """A setting in all tables that it stands in; ``dice`` and ``subjects`` are by pair.

    A pair reads "dataset direction"; ``subjects`` has the Dice of every test subject, averaged
    over seeds. ``provisional`` is one that still waits for its confirmations in any of them: it
    takes part in means and ranks, and in no test.
    """

    label: str
    supervision: str
    dice: Mapping[str, float]
    subjects: Mapping[str, Mapping[str, float]]
    provisional: bool = False


@dataclass(frozen=True)
class AcrossRow:
    """A setting over all pairs; what compares pairs is None unless it stands in all of them.

    ``mean_dice`` is the unweighted mean over pairs, ``mean_rank`` that of its ranks within the
    pairs, 1 being the best, among the settings that stand in all. ``rank_ci`` is the 95 %
    bootstrap interval of its place by mean rank: test subjects are drawn anew within every pair.
    """

    label: str
    mean_dice: float | None
    by_pair: Mapping[str, float]
    mean_rank: float | None
    rank_ci: tuple[int, int] | None
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Across:
    """One supervision class over its domain pairs; rows by ``mean_dice``, incomplete ones last.

    ``friedman_p`` and ``posthoc``, adjusted p-values by pair of labels, need six clusters;
    ``posthoc`` is empty unless the first is below .05 (with two settings it holds their signed-rank
    test). ``kendall_tau`` is between the orders by mean Dice and by mean rank.
    """

    supervision: str
    pairs: tuple[str, ...]
    rows: tuple[AcrossRow, ...]
    friedman_p: float | None
    posthoc: Mapping[tuple[str, str], float]
    clusters: int
    kendall_tau: float | None
    note: str


def across(board: Leaderboard) -> tuple[Across, ...]:
    """Return one summary per supervision class that has two or more domain pairs.

    Single trials are no settings that could stand in several tables: nothing for ``by="trial"``.
    """
    if board.by == "trial":
        return ()
    tables = [t for t in board.tables if any(r.dice is not None for r in _rivals(t))]
    classes = sorted({table.supervision for table in tables})
    found = ([t for t in tables if t.supervision == supervision] for supervision in classes)
    return tuple(_across(part, board.by) for part in found if len(part) > 1)


def label(row: Row, by: By = "cell") -> str:
    """Return the name under which a row is the same setting in several tables.

    It is the row's factors without the direction, or its method where there are no others.
    """
    factors = ", ".join(f"{k} {v}" for k, v in row.factors.items() if k != "direction")
    return row.method if by == "method" else factors or row.method


def contenders(tables: Sequence[Table], by: By = "cell") -> tuple[Contender, ...]:
    """Return the settings of tables of one supervision class, sorted by label.

    Where two rows of a table have one label, those of several studies, the study is added to it.
    """
    rows = [(_pair(table), row) for table in tables for row in _rivals(table)]
    names = [(pair, label(row, by)) for pair, row in rows]
    twice = {name for key in set(names) if names.count(key) > 1 for name in key[1:]}
    dice: dict[str, dict[str, float]] = {}
    subjects: dict[str, dict[str, Mapping[str, float]]] = {}
    waiting = set()
    for (pair, row), (_, name) in zip(rows, names, strict=True):
        if row.dice is not None:
            known = f"{name} ({row.study})" if name in twice else name
            dice.setdefault(known, {})[pair] = row.dice
            subjects.setdefault(known, {})[pair] = row.subjects
            waiting |= {known} if row.provisional else set()
    supervision = tables[0].supervision
    return tuple(
        Contender(name, supervision, dice[name], subjects[name], name in waiting)
        for name in sorted(dice)
    )


def _rivals(table: Table) -> Iterator[Row]:
    return (row for row in table.rows if row.role == "method")


def _pair(table: Table) -> str:
    return f"{table.dataset} {table.direction}"


def _across(tables: Sequence[Table], by: By) -> Across:
    pairs = tuple(_pair(table) for table in tables)
    everyone = contenders(tables, by)
    complete = [c for c in everyone if len(c.dice) == len(pairs)]
    values = np.array([[c.dice[p] for p in pairs] for c in complete]).reshape(-1, len(pairs))
    means, mean_ranks = values.mean(axis=1), ranking.ranks(values).mean(axis=1)
    intervals = _rank_intervals(complete, pairs)
    rows = [
        AcrossRow(c.label, float(mean), dict(c.dice), float(rank), interval, ())
        for c, mean, rank, interval in zip(complete, means, mean_ranks, intervals, strict=True)
    ]
    rows.sort(key=lambda row: (-round(row.mean_dice or 0.0, ranking.DIGITS), row.label))
    partial = [
        AcrossRow(
            c.label, None, dict(c.dice), None, None, tuple(p for p in pairs if p not in c.dice)
        )
        for c in everyone
        if len(c.dice) < len(pairs)
    ]
    blocks = clusters(pairs)
    confirmed = [index for index, c in enumerate(complete) if not c.provisional]
    labels = [complete[index].label for index in confirmed]
    tested = _test(labels, _block_means(values[confirmed], blocks))
    return Across(
        supervision=tables[0].supervision,
        pairs=pairs,
        rows=(*rows, *partial),
        friedman_p=tested.friedman_p,
        posthoc=tested.posthoc,
        clusters=len(blocks),
        kendall_tau=ranking.kendall(means, -mean_ranks),
        note=tested.note,
    )


def clusters(pairs: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Return the pairs, by index, that share people: of a dataset, linked by common domains.

    >>> clusters(["spine a->b", "spine b->a", "spine b->c", "heart a->b"])
    ((0, 1, 2), (3,))
    """
    found: list[tuple[set[tuple[str, str]], list[int]]] = []
    for index, pair in enumerate(pairs):
        dataset = ranking.dataset_of(pair)
        direction = Direction.parse(pair.removeprefix(dataset))
        domains = {(dataset, direction.source), (dataset, direction.target)}
        linked = [group for group in found if group[0] & domains]
        found = [group for group in found if not group[0] & domains]
        members = sorted([index, *(i for _, those in linked for i in those)])
        found.append((domains.union(*(names for names, _ in linked)), members))
    return tuple(sorted(tuple(members) for _, members in found))


class _Tested(NamedTuple):
    friedman_p: float | None
    posthoc: Mapping[tuple[str, str], float]
    note: str


def _test(labels: Sequence[str], blocks: NDArray[np.float64]) -> _Tested:
    """Test over ``blocks`` ``(settings, clusters)``."""
    settings, n = blocks.shape
    if settings < 2:
        return _Tested(None, {}, "No two confirmed settings stand in all domain pairs: no test.")
    if n < SMALLEST_TESTABLE:
        count = "one independent domain pair" if n == 1 else f"{n} independent domain pairs"
        return _Tested(
            None,
            {},
            f"{count[0].upper()}{count[1:]}, pairs that share people counting once: mean ranks "
            f"only, no test below {SMALLEST_TESTABLE}.",
        )
    if settings == 2:
        p = signed_rank_p((blocks[0] - blocks[1]).round(ranking.DIGITS).tolist())
        return _Tested(
            None,
            {(labels[0], labels[1]): p},
            f"Two settings: Wilcoxon's signed-rank test over {n} independent domain pairs.",
        )
    found = ranking.friedman(blocks)
    if found.p >= 1 - LEVEL:
        note = "Friedman's test finds no difference, so no two settings are compared."
        return _Tested(found.p, {}, note)
    p_values = ranking.nemenyi(found.mean_ranks, n)
    posthoc = {
        (labels[a], labels[b]): float(p_values[a, b]) for a, b in combinations(range(settings), 2)
    }
    note = (
        f"Friedman's test over {n} independent domain pairs, then Nemenyi's of every two settings."
    )
    return _Tested(found.p, posthoc, note)


def _block_means(
    values: NDArray[np.float64], blocks: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    return np.stack([values[:, list(block)].mean(axis=1) for block in blocks], axis=1)


def _rank_intervals(
    complete: Sequence[Contender], pairs: Sequence[str]
) -> list[tuple[int, int]] | list[None]:
    shared = {
        pair: sorted(set.intersection(*(set(c.subjects[pair]) for c in complete)))
        for pair in pairs
        if complete
    }
    if not shared or not all(len(names) > 1 for names in shared.values()):
        return [None] * len(complete)
    drawn_ranks = []
    for pair, drawn in zip(pairs, ranking.draws(shared), strict=True):
        table = np.array([[c.subjects[pair][s] for s in shared[pair]] for c in complete])
        drawn_ranks.append(ranking.ranks(table[:, drawn].mean(axis=2)))
    return place_intervals(-np.mean(drawn_ranks, axis=0).round(ranking.DIGITS))
