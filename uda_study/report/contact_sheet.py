"""Many small pictures of cases on one sheet, each with the outline of its label."""

from __future__ import annotations

from collections.abc import Sequence

from uda_study.data.facts import Glance
from uda_study.report import slice_view, style
from uda_study.report.legend import Entry, Legend
from uda_study.report.slice_view import View

COLUMNS = 6

# Inches.
_PANEL, _GAP, _CAPTION, _MARGIN = 1.45, 0.08, 0.24, 0.08
_LETTERS = 22


def contact_sheet(
    glances: Sequence[tuple[str, Glance]], structures: Sequence[str]
) -> style.Picture:
    """Draw one panel per case under its name; the structures' outlines are explained below."""
    rows = -(-len(glances) // COLUMNS)
    width = 2 * _MARGIN + COLUMNS * (_PANEL + _GAP) - _GAP
    entries = [Entry(name, *style.contour(k)) for k, name in enumerate(structures, 1)]
    legend = Legend(entries, width - 2 * _MARGIN)
    labelled = any(glance.label is not None for _, glance in glances)
    below = _MARGIN + rows * (_PANEL + _CAPTION)
    with style.styled():
        figure = style.new_figure(width, below + (legend.height if labelled else 0) + _MARGIN)
        for number, (name, glance) in enumerate(glances):
            row, column = divmod(number, COLUMNS)
            left = _MARGIN + column * (_PANEL + _GAP)
            top = _MARGIN + row * (_PANEL + _CAPTION)
            short = name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"
            style.write(figure, left, top, short, size=style.SMALL, colour=style.QUIET)
            panel = style.place(figure, left, top + _CAPTION - 0.08, _PANEL, _PANEL - 0.04)
            view = View(glance.spacing, glance.axes, "radiological")
            view.draw(panel, glance.image, glance.label)
        if labelled:
            legend.draw(figure, _MARGIN, below + 0.02)
        return style.render(figure)


def describe() -> str:
    """Return what is to be said of the sheet below it."""
    return (
        "The slice on which the labelled structures are largest, the middle one without a label. "
        + slice_view.describe("radiological")
    )
