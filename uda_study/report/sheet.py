"""Lines of panels under column titles: what all pictures of slices are laid out on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uda_study.report import style

# Inches.
MARGIN = 0.15
_PANEL, _GAP = 1.95, 0.07
_HEAD, _LINE_NAME, _NOTE, _SPACE = 0.34, 0.26, 0.2, 0.12
# The height of a panel as a share of its width; what is flatter or taller gets black bars.
_FLATTEST, _TALLEST = 0.5, 1.35


@dataclass(frozen=True)
class Line:
    """One line: its name, the height of its images over their width, and what draws each panel."""

    name: str
    proportion: float
    panels: tuple[Callable[[Axes], None], ...]


@dataclass(frozen=True)
class Foot:
    """What stands below the lines: ``draw`` gets the figure and its top; then a note."""

    height: float
    draw: Callable[[Figure, float], None]
    note: str


def inner_width(columns: int) -> float:
    """Return how wide the panels of a line are together, in inches."""
    return columns * (_PANEL + _GAP) - _GAP


def draw_sheet(titles: Sequence[str], lines: Sequence[Line], foot: Foot) -> style.Picture:
    """Draw the lines under the titles of their columns."""
    heights = [_PANEL * min(max(line.proportion, _FLATTEST), _TALLEST) for line in lines]
    below = _HEAD + sum(heights) + len(lines) * _LINE_NAME + _SPACE
    with style.styled():
        figure = style.new_figure(
            2 * MARGIN + inner_width(len(titles)), below + foot.height + _NOTE + _SPACE
        )
        lefts = [MARGIN + n * (_PANEL + _GAP) for n in range(len(titles))]
        for title, left in zip(titles, lefts, strict=True):
            middle = left + _PANEL / 2
            style.write(figure, middle, _SPACE, title, weight="bold", align="center")
        top = _HEAD
        for line, height in zip(lines, heights, strict=True):
            style.write(figure, MARGIN, top + 0.08, line.name, colour=style.QUIET)
            top += _LINE_NAME
            axes = [style.place(figure, left, top, _PANEL, height) for left in lefts]
            for panel, draw in zip(axes, line.panels, strict=True):
                draw(panel)
            top += height
        foot.draw(figure, below)
        style.write(
            figure, MARGIN, below + foot.height + 0.06, foot.note, size=style.SMALL,
            colour=style.QUIET,
        )  # fmt: skip
        return style.render(figure)
