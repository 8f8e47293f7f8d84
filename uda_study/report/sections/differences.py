"""By how much rows differ: from the first, and every pair of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from uda_study.report.forest import ForestRow, forest_figure
from uda_study.report.frame import Heading
from uda_study.report.pair_matrix import pair_matrix
from uda_study.report.section import Exhibit, Material, Section
from uda_study.report.table_words import (
    confirmed,
    counted,
    few_subjects,
    row_names,
    table_facts,
    table_title,
)
from uda_study.study import statistics
from uda_study.study.board import Row, Table


def section(material: Material) -> Section | None:
    """Show a forest plot, and from three rows on a matrix of all pairs, for every table."""
    exhibits: list[Exhibit] = []
    for table in material.board.tables:
        ranked = confirmed(table)
        if any(_difference(row) is not None for row in ranked):
            exhibits.append(_forest(table, ranked))
        if len(ranked) > 2:
            exhibits.append(_matrix(table, ranked))
    if not exhibits:
        return None
    return Section(
        "Differences",
        "Rows are compared on the same test subjects and seeds, and the luck of both is in the "
        "intervals. An interval that contains 0 does not say that two rows are equal.",
        tuple(exhibits),
    )


def _difference(row: Row) -> float | None:
    return row.against_first.difference if row.against_first else None


def _forest(table: Table, ranked: Sequence[Row]) -> Exhibit:
    names = row_names(ranked)
    rows = [
        ForestRow(
            name=name,
            difference=against.difference,
            interval=against.ci95,
            words=against.verdict,
            strong=against.verdict in ("better", "worse"),
        )
        for name, row in zip(names, ranked, strict=True)
        if (against := row.against_first) is not None and against.difference is not None
    ]
    caption = (
        f"{table_title(table)}, supervision {table.supervision}: mean paired difference in test "
        "Dice from the first row, subjects and seeds as crossed random effects. The words are "
        "those of the leaderboard, with p adjusted after Holm as if all pairs had been compared."
    )
    caption += _few(ranked)
    found = [row.against_first.smallest_detectable for row in ranked if row.against_first]
    detectable = [value for value in found if value is not None]
    if detectable:
        caption += (
            " With 80 % power a single paired t test, not adjusted, would find a true difference "
            f"of {min(detectable):.3f} Dice (the surest row) to {max(detectable):.3f} (the least)."
        )
    title = f"Differences from the first: {table_title(table)}"
    return Exhibit(caption, forest_figure(names[0], rows, title, table_facts(table)))


def _matrix(table: Table, ranked: Sequence[Row]) -> Exhibit:
    pairs = list(combinations(range(len(ranked)), 2))
    found = [statistics.compare(ranked[i].by_seed, ranked[j].by_seed) for i, j in pairs]
    few = [pair.n < statistics.SMALLEST_TESTABLE for pair in found]
    p_values = [None if small else pair.p for pair, small in zip(found, few, strict=True)]
    adjusted = statistics.holm(p_values, of=len(pairs))
    difference = np.full((len(ranked), len(ranked)), np.nan)
    p = np.full_like(difference, np.nan)
    for (i, j), pair, value in zip(pairs, found, adjusted, strict=True):
        difference[i, j] = np.nan if pair.difference is None else pair.difference
        # As the words do: what ranks do not confirm is no difference.
        p[i, j] = np.nan if value is None else max(value, pair.signed_rank or 0.0)
    caption = (
        f"{table_title(table)}, supervision {table.supervision}: all pairs of rows. Above the "
        "diagonal the paired difference in test Dice, row minus column; below it p of the "
        f"interval's t test, adjusted after Holm for {counted(len(pairs), 'comparison')}, or that "
        "of the signed-rank test, not adjusted, where it is larger. The leaderboard knows the "
        "comparisons with the first row alone, and its p may be larger."
    )
    caption += _few(ranked)
    heading = Heading(f"All pairs: {table_title(table)}", table_facts(table))
    return Exhibit(caption, pair_matrix(row_names(ranked), difference, p, heading))


def _few(ranked: Sequence[Row]) -> str:
    return few_subjects(len(set.intersection(*(set(row.subjects) for row in ranked))))
