"""Panels of equal size in a grid under one heading: scatters, curves, small multiples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from uda_study.report import style
from uda_study.report.frame import MARGIN, Heading, text_width, wrapped

# Inches.
_TICKS, _BELOW, _TITLE, _GAP, _LINE, _NOTE = 0.5, 0.5, 0.22, 0.14, 0.17, 0.06
_NARROWEST = 5.4


@dataclass(frozen=True)
class GridPanel:
    """One panel: a title in bold, a quiet line below it, and what draws into its axes."""

    title: str
    draw: Callable[[Axes], None]
    remark: str = ""


@dataclass(frozen=True)
class GridLayout:
    """Columns at most, the size of a panel in inches, and the labels that all panels share."""

    columns: int
    width: float
    height: float
    x: str
    y: str
    shared: bool = False


def panel_grid(
    heading: Heading, panels: Sequence[GridPanel], layout: GridLayout, note: str = ""
) -> style.Picture:
    """Draw the panels line by line; with ``shared`` only the outer ones carry tick labels."""
    columns = min(layout.columns, len(panels))
    ticks = 0.12 if layout.shared else _TICKS
    pitch = ticks + layout.width + _GAP
    remark = _LINE if any(panel.remark for panel in panels) else 0.0
    head = _TITLE + remark
    below = 0.18 if layout.shared else _BELOW
    lines = -(-len(panels) // columns)
    width = MARGIN + _TICKS - ticks + columns * pitch + MARGIN
    width = max(
        width, _NARROWEST, 2 * MARGIN + text_width(heading.title, style.TITLE + 0.5, "bold")
    )
    start = heading.height(width)
    foot = start + lines * (head + layout.height + below) + (_BELOW - below)
    notes = wrapped(note, width - 2 * MARGIN, style.SMALL)
    with style.styled():
        figure = style.new_figure(width, foot + len(notes) * _LINE + _NOTE)
        heading.draw(figure, width)
        for place, panel in enumerate(panels):
            line, column = divmod(place, columns)
            left = MARGIN + _TICKS + column * pitch
            top = start + line * (head + layout.height + below)
            style.write(figure, left, top, panel.title, weight="bold")
            style.write(
                figure, left, top + _TITLE - 0.04, panel.remark, size=style.SMALL,
                colour=style.QUIET,
            )  # fmt: skip
            axes = style.place(figure, left, top + head, layout.width, layout.height)
            axes.grid(axis="both")
            panel.draw(axes)
            lowest = place + columns >= len(panels)
            if lowest or not layout.shared:
                axes.set_xlabel(layout.x, size=style.SMALL, labelpad=2)
            if column == 0 or not layout.shared:
                axes.set_ylabel(layout.y, size=style.SMALL, labelpad=2)
            if layout.shared:
                axes.tick_params(labelleft=column == 0, labelbottom=lowest)
        for number, text in enumerate(notes):
            style.write(
                figure, MARGIN, foot + number * _LINE, text, size=style.SMALL, colour=style.QUIET
            )
        return style.render(figure)
