"""Names beside their lines, in as many columns as fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from uda_study.report import style

_LINE, _MARK, _TEXT, _LETTER, _BETWEEN = 0.2, 0.2, 0.26, 0.062, 0.24


@dataclass(frozen=True)
class Entry:
    """One name with the look of its line."""

    name: str
    colour: str
    pattern: style.Pattern = "-"


class Legend:
    """Entries set into a given width, in inches; `height` is what they take."""

    def __init__(self, entries: Sequence[Entry], width: float) -> None:
        self._entries = entries
        longest = max((len(entry.name) for entry in entries), default=0)
        self._pitch = _TEXT + _LETTER * longest + _BETWEEN
        self._columns = max(1, int((width + _BETWEEN) / self._pitch))
        self.height = _LINE * -(-len(entries) // self._columns)

    def draw(self, figure: Figure, left: float, top: float) -> None:
        """Draw with the upper left corner so many inches from the figure's."""
        across, down = figure.get_size_inches()
        for position, entry in enumerate(self._entries):
            line, column = divmod(position, self._columns)
            x, y = left + column * self._pitch, top + line * _LINE
            figure.add_artist(
                Line2D(
                    [x / across, (x + _MARK) / across], [1 - (y + 0.06) / down] * 2,
                    color=entry.colour, linestyle=entry.pattern, linewidth=2.2,
                    solid_capstyle="butt",
                )
            )  # fmt: skip
            style.write(figure, x + _TEXT, y, entry.name, size=style.SMALL)
