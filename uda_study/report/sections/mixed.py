"""All subjects and seeds in one model, where there are enough of both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from uda_study.report import page_style
from uda_study.report.section import Exhibit, Material, Section
from uda_study.report.table_words import confirmed, counted, row_names, signed, table_title
from uda_study.study.board import Row, Table
from uda_study.study.mixed import FEWEST_SEEDS, FEWEST_SUBJECTS, Mixed, mixed_model

_HEAD = ("row", "difference in Dice", "95 % interval", "log odds ratio", "p", "p (Holm)")


def section(material: Material) -> Section | None:
    """Show the mixed model of every table that is large enough for it."""
    exhibits = tuple(_exhibits(material.board.tables))
    if not exhibits:
        return None
    return Section(
        "Mixed model",
        "A second way to the same question: logit(Dice) by method, with random effects of "
        "subjects, of seeds, and of how each method gets on with either. It decides no word above.",
        exhibits,
    )


def _exhibits(tables: Sequence[Table]) -> Iterator[Exhibit]:
    for table in tables:
        ranked = confirmed(table)
        if len(ranked) > 1 and _large(ranked):
            names = row_names(ranked)
            pair = f"{table.dataset} {table.direction}"
            by_seed = {name: {pair: row.by_seed} for name, row in zip(names, ranked, strict=True)}
            yield _exhibit(table, mixed_model(by_seed))


def _large(ranked: Sequence[Row]) -> bool:
    enough = all(len(row.subjects) >= FEWEST_SUBJECTS for row in ranked)
    return enough and all(row.n_seeds >= FEWEST_SEEDS for row in ranked)


def _exhibit(table: Table, found: Mixed) -> Exhibit:
    title = f"{table_title(table)}, supervision {table.supervision}"
    if found.reason is not None or found.level is None:
        return Exhibit(f"{title}: no model, {found.reason}.")
    rows = [
        (
            one.label,
            signed(one.dice),
            f"[{signed(one.dice_ci95[0])}, {signed(one.dice_ci95[1])}]",
            f"{one.logit:+.2f}",
            f"{one.p:.3f}",
            f"{one.p_holm:.3f}",
        )
        for one in found.differences
    ]
    caption = (
        f"{title}: differences from {found.first}, for a subject on whom it reaches its typical "
        f"Dice of {found.level:.3f}; {counted(found.subjects, 'subject')}, "
        f"{counted(found.seeds, 'seed')}, p adjusted after Holm for all pairs of rows."
    )
    if found.clipped:
        caption += f" {counted(found.clipped, 'value')} moved off 0 or 1."
    return Exhibit(
        " ".join(filter(None, (caption, found.note))), html=page_style.table(_HEAD, rows)
    )
