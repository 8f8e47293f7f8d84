"""Whole volumes of chosen test cases, to look through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from uda_study.report.section import Exhibit, Material, Section
from uda_study.report.sections.overlays import shown_training
from uda_study.report.table_words import row_names, table_title
from uda_study.report.volume_viewer import ViewedCase, fitting, viewer


@dataclass(frozen=True)
class Wanted:
    """A test case to be shown, as the training with this key segments it; Dice is that of both."""

    key: str
    case: str
    name: str


@dataclass(frozen=True)
class Volumes:
    """The cases that are shown, the names of their structures, or why there are none."""

    cases: Sequence[ViewedCase] = ()
    structures: Sequence[str] = ()
    missing: str = ""


def wanted(material: Material) -> Iterator[Wanted]:
    """Yield the worst and the best test case of the best row of each table."""
    for table in material.board.tables:
        rows = [row for row in table.rows if row.role == "method" and row.dice is not None]
        key = shown_training(material, table, rows[0]) if rows else None
        if key is None:
            continue
        cases = material.cases
        title = f"{table_title(table)}: {row_names(rows)[0]}"
        dice = cases[
            (cases["key"] == key) & (cases["role"] == "target_test") & (cases["metric"] == "dice")
            & (cases["phase"] != "before") & cases["value"].notna()
        ].groupby("case")["value"].mean().sort_values(kind="stable")  # fmt: skip
        chosen = {"worst": 0, "best": len(dice) - 1} if len(dice) > 1 else {"only": 0}
        for word, place in chosen.items():
            case, value = str(dice.index[place]), float(dice.iloc[place])
            name = f"{title}, {word} case {case}, Dice {value:.3f}"
            yield Wanted(key, case, name)


def visible(volumes: Volumes) -> tuple[ViewedCase, ...]:
    """Return the cases that the page has room for."""
    return fitting(volumes.cases)


def section(volumes: Volumes) -> Section | None:
    """Return the viewer, or a word about why there is none; None where nothing was asked for."""
    if not volumes.cases and not volumes.missing:
        return None
    lead = (
        "The worst and the best test case of the best row of each table, as the training with the "
        "median seed segments it. Click or scroll to move through the slices, drag with the right "
        "button to change the window; the patient's right is on the left."
    )
    shown = visible(volumes)
    if not shown:
        missing = volumes.missing or "The volumes are larger than a page has room for."
        return Section("Volumes", missing, ())
    caption = ""
    if left := len(volumes.cases) - len(shown):
        caption = f"{left} further cases are left out, since the page would be too large."
    return Section("Volumes", lead, (Exhibit(caption, html=viewer(shown, volumes.structures)),))
