"""What a factor of the matrix does, such as the depth of the adaptation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from uda_study.report import page_style
from uda_study.report.factor_levels import FactorCurve, factor_curves, steps
from uda_study.report.factor_plot import Band, FactorPanel, factor_figure
from uda_study.report.section import Exhibit, Material, Section
from uda_study.report.table_words import few_subjects, signed, table_title
from uda_study.study.board import Table

_BOUNDS = {"lower bound": False, "upper bound": True}


def section(material: Material) -> Section | None:
    """Show a curve and its differences for every factor with three ordered values or more."""
    found = [(table, curve) for table in material.board.tables for curve in factor_curves(table)]
    exhibits: list[Exhibit] = []
    for factor in sorted({curve.factor for _, curve in found}):
        mine = [(table, curve) for table, curve in found if curve.factor == factor]
        exhibits += _exhibits(factor, mine)
    if not exhibits:
        return None
    names = sorted({curve.factor.rpartition(".")[2] for _, curve in found})
    title = names[0].capitalize() + (" and other factors" if len(names) > 1 else "")
    return Section(
        title,
        "Every value of the factor had its own search and was then trained on the same seeds, so "
        "that it is compared in blocks: within a seed and a subject.",
        tuple(exhibits),
    )


def _exhibits(factor: str, found: Sequence[tuple[Table, FactorCurve]]) -> Iterator[Exhibit]:
    several = len({table.supervision for table, _ in found}) > 1
    tables = list({id(table): table for table, _ in found}.values())
    panels = [
        FactorPanel(
            table_title(table) + (f", {table.supervision}" if several else ""),
            [curve for other, curve in found if other is table],
            _bands(table),
        )
        for table in tables
    ]
    yield Exhibit(
        f"Mean test Dice at each value of {factor}, from confirmations on the seeds that all its "
        "values have, each value with the setting that its own search chose; not from the trials "
        "of a sampler, which visits good values more often. Dots: means with 95 % t intervals over "
        "subjects, seeds averaged; faint lines: single seeds. Bands: bounds with their intervals.",
        picture=factor_figure(factor, panels),
    )
    head = [
        "direction",
        "setting",
        "kind",
        "difference",
        "Dice",
        "95 % interval",
        "p (Holm)",
        "verdict",
    ]
    yield Exhibit(
        f"Paired differences between values of {factor}: neighbours, and the best interior value "
        "against both ends, with the intervals and words of the leaderboard, adjusted after Holm "
        "as if all pairs of values had been compared. That a middle value is best is shown where "
        "the best interior value is better than both ends; it was picked by these same figures."
        + few_subjects(min(len(curve.subjects) for _, curve in found)),
        html=page_style.table(head, [row for one, curve in found for row in _rows(one, curve)]),
    )


def _rows(table: Table, curve: FactorCurve) -> Iterator[tuple[str, ...]]:
    for step in steps(curve):
        low, high = step.found.ci95
        yield (
            table_title(table),
            curve.setting or "–",
            step.kind,
            step.names,
            "–" if step.found.difference is None else signed(step.found.difference),
            "–" if low is None or high is None else f"[{signed(low)}, {signed(high)}]",
            "–" if step.p_holm is None else f"{step.p_holm:.3f}",
            step.verdict,
        )


def _bands(table: Table) -> list[Band]:
    return [
        Band(f"{row.method} ({row.role})", dice.mean, dice.ci95, _BOUNDS[row.role])
        for row in table.rows
        if row.role in _BOUNDS and (dice := row.scores.get("dice")) is not None
    ]
