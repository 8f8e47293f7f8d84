"""One look for all figures: type sizes, colours by role, and how a figure becomes a file.

Figures are drawn without pyplot, so they leave no global state behind, need no display and may be
drawn in any process. The colours are Okabe and Ito's (Color Universal Design, 2008), which people
with colour vision deficiencies can tell apart.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Pattern = Literal["-", "--", ":"]

DPI = 200

TITLE, LABEL, SMALL = 10.5, 8.5, 7.5
"""Font sizes in points: titles, what is read first, annotations."""

INK, QUIET, FAINT, PAPER = "#22262B", "#6B737C", "#DDE1E5", "#FFFFFF"
"""Text, secondary text, grid lines and background."""

METHOD, LOWER, UPPER = "#0072B2", "#D55E00", "#009E73"
"""What a study compares, the lower bound without adaptation, the target-trained upper bound."""

LINES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
"""Lines on white, in the order of use."""

CONTOURS = ("#E69F00", "#56B4E9", "#F0E442", "#CC79A7", "#D55E00", "#00C08B")
"""Structures on grey images, by class from 1 on; further classes repeat them, dashed."""

_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": LABEL,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "figure.facecolor": PAPER,
}


@dataclass(frozen=True)
class Picture:
    """A finished figure as PNG; the same input gives the same bytes."""

    png: bytes = field(repr=False)

    def save(self, path: Path) -> None:
        """Write the PNG to ``path``."""
        path.write_bytes(self.png)


@contextmanager
def styled() -> Iterator[None]:
    """Draw inside with this style alone, whatever matplotlibrc says."""
    defaults: dict[Any, Any] = {
        key: value for key, value in mpl.rcParamsDefault.items() if not key.startswith("backend")
    }
    with mpl.rc_context({**defaults, **_SETTINGS}):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches."""
    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def render(figure: Figure) -> Picture:
    """Return the figure as PNG without date or software, so equal figures are equal files."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return Picture(buffer.getvalue())


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes whose upper left corner lies ``left`` and ``top`` inches from the figure's."""
    across, down = figure.get_size_inches()
    return figure.add_axes(
        (left / across, 1 - (top + height) / down, width / across, height / down)
    )


def write(
    figure: Figure,
    left: float,
    top: float,
    text: str,
    *,
    size: float = LABEL,
    colour: str = INK,
    weight: str = "normal",
    align: str = "left",
) -> None:
    """Write text whose upper edge lies ``top`` inches below the figure's."""
    across, down = figure.get_size_inches()
    figure.text(
        left / across,
        1 - top / down,
        text,
        size=size,
        color=colour,
        weight=weight,
        ha=align,
        va="top",
    )


def contour(structure: int) -> tuple[str, Pattern]:
    """Return the colour and line style of a class from 1 on.

    >>> contour(1), contour(7)
    (('#E69F00', '-'), ('#E69F00', '--'))
    """
    return _cycle(CONTOURS, structure - 1)


def line(position: int) -> tuple[str, Pattern]:
    """Return the colour and line style of a line on white, from 0 on."""
    return _cycle(LINES, position)


def _cycle(colours: tuple[str, ...], position: int) -> tuple[str, Pattern]:
    lap, index = divmod(position, len(colours))
    patterns: tuple[Pattern, ...] = ("-", "--", ":")
    return colours[index], patterns[lap % len(patterns)]
