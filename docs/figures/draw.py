"""The vocabulary of the figures: images, networks, losses and arrows, as plain SVG.

A figure is a column of panels. Everything is placed by its centre, in pixels from the upper left
corner of its panel. Saving fails if something is cut off, covered or crossed by an arrow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import shapes
from geometry import Box, Point, Thing, corners, problems, text_width
from shapes import CARD, DOMAIN, EDGE, INK, LINE, LOSS, NETWORK, QUIET, TINT

WIDTH = 800
MARGIN = 12
TITLE = 30
LEGEND = 34
SIDE = 48
LETTER = 12.5
SMALL = 12
HEADING = 13.5

Domain = Literal["source", "target", "both"]
Role = Literal["segmenter", "generator", "critic", "other"]
Loss = Literal["supervised", "adversarial", "reconstruction", "unsupervised"]
Move = tuple[float | None, float | None]

MARKS = {
    "source": "from the source",
    "target": "from the target",
    "both": "from either",
    "frozen": "frozen",
    "shared": "the same network",
    "copy": "weights copied",
    "loss": "loss",
}


class Figure:
    """A white card with panels from top to bottom and a legend of the marks that were used."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.height = float(MARGIN)
        self.parts: list[str] = []
        self.lines: list[str] = []
        self.things: list[Thing] = []
        self.paths: list[list[Point]] = []
        self.marks: set[str] = set()

    def panel(self, title: str, height: float, test: bool = False) -> Panel:
        """Add a panel below the last one; ``test`` tints it."""
        top = self.height
        self.height += TITLE + height + 8
        fill = TINT if test else CARD
        box = Box(MARGIN, top, WIDTH - MARGIN, self.height - 8)
        self.parts.append(shapes.rect(box, 8, fill, EDGE))
        panel = Panel(self, box)
        panel._head(title)
        return panel

    def svg(self) -> str:
        """Return the figure; raises `ValueError` naming all that is in the way of something."""
        body = [*self.parts, *self.lines, *self._legend()]
        height = self.height + LEGEND
        found = list(problems(self.things, self.paths))
        if found:
            raise ValueError("\n".join([f"figure {self.name}:", *found]))
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
            f'width="{WIDTH}" height="{height:g}" font-family="{shapes.FONT}" role="img">'
        )
        title = f"<title>{self.name}: networks and losses</title>"
        card = shapes.rect(Box(0.5, 0.5, WIDTH - 0.5, height - 0.5), 10, CARD, EDGE)
        return "\n".join([head, title, card, *body, "</svg>"]) + "\n"

    def save(self, folder: Path) -> None:
        """Write ``NAME.svg``."""
        (folder / f"{self.name}.svg").write_text(self.svg(), encoding="utf-8")

    def _legend(self) -> list[str]:
        y, x, out = self.height + LEGEND / 2 - 4, 24.0, []
        for mark, text in MARKS.items():
            if mark not in self.marks:
                continue
            out.append(shapes.mark(mark, x, y))
            out.append(shapes.text(x + 36, y, text, SMALL, QUIET, anchor="start"))
            x += 36 + text_width(text, SMALL) + 12
        return out


class Panel:
    """A part of a figure; its ``x`` and ``y`` begin at its own upper left corner."""

    def __init__(self, figure: Figure, area: Box) -> None:
        self.figure = figure
        self.area = area

    def image(self, x: float, y: float, look: str, domain: Domain, caption: str) -> Thing:
        """Draw an image: its look, framed in the colour of the domain that it comes from."""
        x, y = self._place(x, y)
        core = Box.around(x, y, SIDE, SIDE)
        lines = caption.split("\n")
        width = max(SIDE, *(text_width(line, SMALL) for line in lines))
        below = Box(
            x - width / 2, core.bottom + 4, x + width / 2, core.bottom + 4 + 14.5 * len(lines)
        )
        self.figure.parts.append(shapes.picture(core, look, DOMAIN[domain]))
        self._lines(x, core.bottom + 4 + 7.25 * len(lines), lines, INK)
        self.figure.marks.add(domain)
        return self._keep(Thing(caption, core, self.area, below))

    def net(
        self,
        x: float,
        y: float,
        text: str,
        role: Role = "segmenter",
        *,
        width: float = 112,
        height: float = 44,
        frozen: bool = False,
    ) -> Thing:
        """Draw a network; a frozen one has a broken edge and a snowflake."""
        x, y = self._place(x, y)
        core = Box.around(x, y, width, height)
        fill, edge = NETWORK[role]
        dash = ' stroke-dasharray="5 3"' if frozen else ""
        part = shapes.rect(core, 6, fill, edge, f' stroke-width="1.8"{dash}')
        self.figure.parts.append(part)
        self._write(core, text, bold=True)
        if frozen:
            self.figure.lines.append(shapes.snowflake(core.right, core.top))
            self.figure.marks.add("frozen")
        return self._keep(Thing(text, core, self.area))

    def loss(self, x: float, y: float, text: str, kind: Loss) -> Thing:
        """Draw a loss as a coloured pill."""
        x, y = self._place(x, y)
        width = text_width(text, LETTER, bold=True) + 18
        core = Box.around(x, y, width, 26)
        self.figure.parts.append(shapes.rect(core, 13, LOSS[kind], LOSS[kind]))
        self.figure.parts.append(shapes.text(x, y, text, LETTER, "#ffffff", bold=True))
        self.figure.marks.add("loss")
        return self._keep(Thing(text, core, self.area))

    def data(self, x: float, y: float, text: str, domain: Domain, width: float = 74) -> Thing:
        """Draw data that are no image, such as features or a code."""
        x, y = self._place(x, y)
        height = 12 + 14 * len(text.split("\n"))
        core = Box.around(x, y, width, height)
        self.figure.parts.append(shapes.rect(core, 10, CARD, DOMAIN[domain], ' stroke-width="1.6"'))
        self._write(core, text)
        self.figure.marks.add(domain)
        return self._keep(Thing(text, core, self.area))

    def note(self, x: float, y: float, text: str) -> Thing:
        """Write text without a frame."""
        x, y = self._place(x, y)
        lines = text.split("\n")
        width = max(text_width(line, SMALL) for line in lines)
        box = Box.around(x, y, width, 4 + 13 * len(lines))
        self._lines(x, y, lines, QUIET)
        return self._keep(Thing(text, box, self.area))

    def arrow(
        self,
        start: Point,
        *moves: Move,
        domain: Domain | None = None,
        copy: bool = False,
    ) -> None:
        """Draw an arrow of level and upright lines from point to point.

        A move ``(x, None)`` goes level to that x of the panel, ``(None, y)`` upright to that y; the
        last one is the point where the arrow ends. ``copy``: weights travel, not data.
        """
        inner = [
            (None if x is None else MARGIN + x, None if y is None else self.area.top + y)
            for x, y in moves[:-1]
        ]
        points = corners(start, [*inner, moves[-1]])
        colour = DOMAIN[domain] if domain else LINE
        self.figure.paths.append(points)
        self.figure.lines.append(shapes.arrow(points, colour, copy))
        if copy:
            self.figure.marks.add("copy")

    def shared(self, start: Point, end: Point) -> None:
        """Tie two networks that are one and the same."""
        self.figure.paths.append(corners(start, [end]))
        self.figure.lines.append(shapes.tie(start, end))
        self.figure.marks.add("shared")

    def _head(self, title: str) -> None:
        x, y = self._place(14, 17)
        self.figure.parts.append(shapes.text(x, y, title, HEADING, bold=True, anchor="start"))
        box = Box(x, y - 9, x + text_width(title, HEADING, bold=True), y + 9)
        self._keep(Thing(title, box, self.area))

    def _write(self, core: Box, text: str, bold: bool = False) -> None:
        """Write into a box, which the text has to fit."""
        lines = text.split("\n")
        for number, line in enumerate(lines):
            size = LETTER if bold and number == 0 else SMALL
            if text_width(line, size, bold and number == 0) > core.right - core.left - 4:
                raise ValueError(f"{self.figure.name}: {line!r} is too long for its box")
        x, y = (core.left + core.right) / 2, (core.top + core.bottom) / 2
        self._lines(x, y, lines, INK, bold)

    def _lines(self, x: float, y: float, lines: list[str], colour: str, bold: bool = False) -> None:
        """Write lines around a middle; the first may be bold."""
        for number, line in enumerate(lines):
            below = 14.5 * (number - (len(lines) - 1) / 2)
            strong = bold and number == 0
            size = LETTER if strong else SMALL
            self.figure.parts.append(shapes.text(x, y + below, line, size, colour, bold=strong))

    def _place(self, x: float, y: float) -> Point:
        return MARGIN + x, self.area.top + y

    def _keep(self, thing: Thing) -> Thing:
        self.figure.things.append(thing)
        return thing
