"""How far the ranks hold: each with the interval that other test subjects would have given it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uda_study.report.rank_plot import RankRow, rank_figure
from uda_study.report.section import Exhibit, Material, Section
from uda_study.report.table_words import (
    confirmed,
    counted,
    row_names,
    table_facts,
    table_title,
)
from uda_study.study import ranking, statistics
from uda_study.study.board import Row, Table


def section(material: Material) -> Section | None:
    """Show a rank plot for every table in which at least two rows are confirmed."""
    tables = [(table, confirmed(table)) for table in material.board.tables]
    exhibits = tuple(_exhibit(table, ranked) for table, ranked in tables if len(ranked) > 1)
    if not exhibits:
        return None
    return Section(
        "Ranks",
        "A rank is a result on these test subjects. Where intervals overlap, other subjects might "
        "have ordered the rows otherwise.",
        exhibits,
    )


def rank_shares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of bootstrap draws in which each row has each rank, ``(rows, ranks)``.

    ``values`` is ``(rows, subjects)``; the draws are those of the leaderboard's rank intervals,
    and equal means share the better rank.
    """
    drawn = statistics.draw_subjects(np.random.default_rng(0), values.shape[1])
    means = values[:, drawn].mean(axis=2)
    places = np.array([(means > row).sum(axis=0) for row in means])
    return np.array([np.bincount(row, minlength=len(values)) / len(row) for row in places])


def _exhibit(table: Table, ranked: Sequence[Row]) -> Exhibit:
    names = row_names(ranked)
    subjects = sorted(set.intersection(*(set(row.subjects) for row in ranked)))
    values = np.array([[row.subjects[subject] for subject in subjects] for row in ranked])
    drawn = len(subjects) > 1
    shares = rank_shares(values).tolist() if drawn else [()] * len(ranked)
    rows = [
        RankRow(name, row.scores["dice"].mean, row.rank or 0, row.rank_ci, share)
        for name, row, share in zip(names, ranked, shares, strict=True)
    ]
    caption = f"{table_title(table)}, supervision {table.supervision}: ranks by mean test Dice"
    if drawn:
        caption += (
            f", with 95 % intervals from {statistics.DRAWS} bootstrap draws of the "
            f"{counted(len(subjects), 'test subject')} that all rows share, the same draws for "
            "all. Seeds are averaged within a subject, so their luck is not in these intervals."
        )
        caption += _other_order(values, names)
    else:
        caption += ". The rows share fewer than two test subjects: nothing can be drawn anew."
    if len(subjects) < statistics.SMALLEST_TESTABLE:
        caption += " Descriptive only: so few subjects bear no statement about others."
    return Exhibit(caption, rank_figure(rows, f"Ranks: {table_title(table)}", table_facts(table)))


def _other_order(values: NDArray[np.float64], names: Sequence[str]) -> str:
    """Say what ranking within each subject, then averaging the ranks, would have given."""
    mean_ranks = ranking.ranks(values).mean(axis=1)
    tau = ranking.kendall(values.mean(axis=1), -mean_ranks)
    first = ", ".join(
        name for name, place in zip(names, ranking.places(-mean_ranks), strict=True) if place == 1
    )
    if tau is None:
        return ""
    return (
        " Ranking within every subject and averaging those ranks instead puts first: "
        f"{first} (Kendall's tau between the two orders: {tau:.2f})."
    )
