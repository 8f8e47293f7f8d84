"""The leaderboard's tables."""

from __future__ import annotations

from uda_study.report.board_table import board_html
from uda_study.report.section import Exhibit, Material, Section


def section(material: Material) -> Section:
    """Return all tables of the leaderboard, each with its notes."""
    return Section(
        "Leaderboard",
        "One table per dataset, direction and supervision; directions are never pooled. Dice is "
        "averaged over structures, cases, folds and seeds within a subject, then over subjects; p "
        "is adjusted as if all pairs of rows had been compared.",
        (Exhibit("", html=board_html(material.board)),),
    )
