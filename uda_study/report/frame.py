"""What stands around the panels of a figure: title, facts, a key of its marks, text that fits."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from uda_study.report import style

# Inches.
MARGIN = 0.18
_TITLE, _LINE, _GLYPH, _BETWEEN, _BELOW = 0.28, 0.19, 0.2, 0.22, 0.1


@dataclass(frozen=True)
class Mark:
    """An entry of the key: a character that looks like what is drawn, its colour, its meaning."""

    glyph: str
    colour: str
    meaning: str


@dataclass(frozen=True)
class Heading:
    """Title, facts such as the number of subjects, and the key, set into a width in inches."""

    title: str
    facts: str = ""
    key: Sequence[Mark] = ()

    def height(self, width: float) -> float:
        """Return what the heading takes, in inches, below the figure's upper edge."""
        lines = len(self._facts(width)) + len(self._key(width))
        return MARGIN + _TITLE + lines * _LINE + _BELOW

    def draw(self, figure: Figure, width: float) -> None:
        """Draw at the figure's upper left corner."""
        style.write(figure, MARGIN, MARGIN, self.title, size=style.TITLE + 0.5, weight="bold")
        top = MARGIN + _TITLE
        for line in self._facts(width):
            style.write(figure, MARGIN, top, line, colour=style.QUIET)
            top += _LINE
        for marks in self._key(width):
            left = MARGIN
            for mark in marks:
                style.write(
                    figure, left + _GLYPH / 2, top, mark.glyph, colour=mark.colour, align="center"
                )
                style.write(figure, left + _GLYPH + 0.05, top, mark.meaning, size=style.SMALL)
                left += _mark_width(mark)
            top += _LINE

    def _facts(self, width: float) -> list[str]:
        return wrapped(self.facts, width - 2 * MARGIN, style.LABEL)

    def _key(self, width: float) -> list[list[Mark]]:
        lines: list[list[Mark]] = []
        room = 0.0
        for mark in self.key:
            needed = _mark_width(mark)
            if not lines or needed > room:
                lines.append([])
                room = width - 2 * MARGIN
            lines[-1].append(mark)
            room -= needed
        return lines


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return how wide the text is drawn, in inches."""
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def wrapped(text: str, width: float, size: float) -> list[str]:
    """Return the lines that the text takes in that many inches; none for an empty text."""
    if not text:
        return []
    letters = max(12, int(width / text_width(text, size) * len(text)))
    return textwrap.wrap(text, letters)


def shortened(text: str, letters: int = 44) -> str:
    """Return the text with its middle left out where it is longer.

    >>> shortened("a long name of a cell", 11)
    'a lon…a cell'
    """
    if len(text) <= letters:
        return text
    return f"{text[: letters // 2]}…{text[-(letters - letters // 2) :]}"


def _mark_width(mark: Mark) -> float:
    return _GLYPH + 0.05 + text_width(mark.meaning, style.SMALL) + _BETWEEN
