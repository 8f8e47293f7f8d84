"""Where things lie in a figure, how wide text is, and what is in the way of what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

Point = tuple[float, float]

# Advance widths of Helvetica and its metric equals, in thousandths of the font size.
_WIDTHS = {
    191: "'", 222: "ijl", 278: " !,./:;fIt", 333: "()-r", 500: "ckJsvxyz",
    556: "0123456789?Labdeghnopqu", 584: "+<=>", 611: "FTZ", 667: "ABEKPSVXY&",
    722: "CDHNRUw", 778: "GOQ", 833: "Mm", 944: "W",
}  # fmt: skip
_WIDTH_OF = {letter: width for width, letters in _WIDTHS.items() for letter in letters}
_UNKNOWN = 700
_BOLD = 1.07
# Where Helvetica and its equals are missing, text comes out in wider letters.
_OTHER_FONTS = 1.14


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Return how many pixels a line of text may take."""
    thousandths = sum(_WIDTH_OF.get(letter, _UNKNOWN) for letter in text)
    return thousandths / 1000 * size * (_BOLD if bold else 1) * _OTHER_FONTS


@dataclass(frozen=True)
class Box:
    """An upright rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, x: float, y: float, width: float, height: float) -> Box:
        """Return the box of that size around a centre."""
        return cls(x - width / 2, y - height / 2, x + width / 2, y + height / 2)

    def overlaps(self, other: Box, slack: float = 1.0) -> bool:
        """Whether the boxes share more than ``slack`` pixels in both directions."""
        return (
            min(self.right, other.right) - max(self.left, other.left) > slack
            and min(self.bottom, other.bottom) - max(self.top, other.top) > slack
        )

    def holds(self, other: Box) -> bool:
        """Whether the other box lies inside."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )


@dataclass(frozen=True)
class Thing:
    """A drawn thing that nothing may cover, like its caption below; it has to stay in its area.

    Arrows lead to the thing itself.
    """

    name: str
    core: Box
    area: Box
    caption: Box | None = None

    @property
    def boxes(self) -> tuple[Box, ...]:
        """All that is drawn."""
        return (self.core, self.caption) if self.caption else (self.core,)

    def left(self, shift: float = 0) -> Point:
        """Return the middle of the left side, moved down by ``shift``."""
        return self.core.left, (self.core.top + self.core.bottom) / 2 + shift

    def right(self, shift: float = 0) -> Point:
        """Return the middle of the right side, moved down by ``shift``."""
        return self.core.right, (self.core.top + self.core.bottom) / 2 + shift

    def top(self, shift: float = 0) -> Point:
        """Return the middle of the upper side, moved right by ``shift``."""
        return (self.core.left + self.core.right) / 2 + shift, self.core.top

    def bottom(self, shift: float = 0) -> Point:
        """Return the middle of the lower side, below a caption, moved right by ``shift``."""
        return (self.core.left + self.core.right) / 2 + shift, self.boxes[-1].bottom


def corners(start: Point, moves: Sequence[tuple[float | None, float | None]]) -> list[Point]:
    """Return the corners of a path of upright and level lines.

    Each move names the x or the y to go to; one that names both has to be level or upright.
    """
    points = [start]
    for x, y in moves:
        here = points[-1]
        there = (here[0] if x is None else x, here[1] if y is None else y)
        if here[0] != there[0] and here[1] != there[1]:
            raise ValueError(f"the line from {here} to {there} is slanted")
        points.append(there)
    return points


def problems(things: Sequence[Thing], paths: Sequence[list[Point]]) -> Iterator[str]:
    """Yield what is covered, cut off or crossed by a line."""
    boxes = [(thing.name, box) for thing in things for box in thing.boxes]
    for thing in things:
        if not all(thing.area.holds(box) for box in thing.boxes):
            yield f"{thing.name!r} reaches beyond its panel: {thing.boxes}"
    for (name, box), (other_name, other_box) in combinations(boxes, 2):
        if box.overlaps(other_box):
            yield f"{name!r} and {other_name!r} overlap: {box} {other_box}"
    for path in paths:
        for name, box in boxes:
            if any(_stroke(*ends).overlaps(box) for ends in pairwise(path)):
                yield f"the line {path} crosses {name!r}: {box}"
    for first_path, second_path in combinations(paths, 2):
        if first_path[0] == second_path[0] or first_path[-1] == second_path[-1]:
            continue  # a branch or a junction
        for first_ends in pairwise(first_path):
            for second_ends in pairwise(second_path):
                if _stroke(*first_ends).overlaps(_stroke(*second_ends)):
                    yield f"the lines {first_path} and {second_path} cross"


def _stroke(start: Point, end: Point) -> Box:
    """Return the box of a line of three pixels."""
    (x0, x1), (y0, y1) = sorted((start[0], end[0])), sorted((start[1], end[1]))
    level = y0 == y1
    return Box(x0, y0 - 1.5, x1, y1 + 1.5) if level else Box(x0 - 1.5, y0, x1 + 1.5, y1)
