"""The figures' shapes and colours as SVG elements."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from geometry import Box, Point

FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"
INK, QUIET, LINE = "#1f2933", "#57606a", "#4b5563"
CARD, TINT, EDGE = "#ffffff", "#f3f5f8", "#d0d7de"

DOMAIN = {"source": "#1d6fb8", "target": "#d2690a", "both": "#6b7280"}
NETWORK = {
    "segmenter": ("#e3f4ea", "#2f7d55"),
    "generator": ("#ece8fb", "#6446b5"),
    "critic": ("#fde7e7", "#c03434"),
    "other": ("#eef1f4", "#5b6673"),
}
LOSS = {
    "supervised": "#2f7d55",
    "adversarial": "#c03434",
    "reconstruction": "#6446b5",
    "unsupervised": "#96600a",
}

# An image of a body with an organ on the left, a structure on the right and a spine, by its look:
# the colours of background, body, organ, structure and spine.
_LOOKS = {
    "source": ("#16202c", "#6d7885", "#b9c2cc", "#97a2ae", "#f4f6f8"),
    "target": ("#16202c", "#c9d0d8", "#6b7682", "#98a3af", "#2c3742"),
    "source_cut": ("#16202c", "#6d7885", "#16202c", "#97a2ae", "#f4f6f8"),
    "target_cut": ("#16202c", "#c9d0d8", "#16202c", "#98a3af", "#2c3742"),
    "content": ("#ffffff", "#f1f3f5", "#dfe4e9", "#e9edf0", "#d2d8de"),
    "classes": ("#16202c", "#16202c", "#3fb27f", "#e0b341", "#16202c"),
}


def number(value: float) -> str:
    """Write a coordinate with at most one decimal."""
    return f"{round(value, 1):g}"


def rect(box: Box, radius: float, fill: str, stroke: str, more: str = "") -> str:
    """Return a rounded rectangle."""
    size = f'width="{number(box.right - box.left)}" height="{number(box.bottom - box.top)}"'
    return (
        f'<rect x="{number(box.left)}" y="{number(box.top)}" {size} rx="{number(radius)}" '
        f'fill="{fill}" stroke="{stroke}"{more}/>'
    )


def text(
    x: float,
    y: float,
    line: str,
    size: float,
    colour: str = INK,
    *,
    bold: bool = False,
    anchor: str = "middle",
) -> str:
    """Return a line of text whose middle is at that height."""
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{number(x)}" y="{number(y + 0.35 * size)}" font-size="{number(size)}" '
        f'fill="{colour}" text-anchor="{anchor}"{weight}>{escape(line)}</text>'
    )


def picture(box: Box, look: str, frame: str) -> str:
    """Return a small image, framed."""
    background, body, organ, structure, spine = _LOOKS[look]
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    line = ' stroke="#5b6673" stroke-width="1.2"' if look == "content" else ""
    shapes: list[tuple[float, float, float, float, str]] = [
        (0, 0, 19, 15, body),
        (-8, -1, 6, 8, organ),
        (9, 0, 4, 6, structure),
        (0, 10, 2.5, 2.5, spine),
    ]
    ellipses = [
        f'<ellipse cx="{number(x + dx)}" cy="{number(y + dy)}" rx="{rx}" ry="{ry}" '
        f'fill="{colour}"{line}/>'
        for dx, dy, rx, ry, colour in shapes
    ]
    return "".join([rect(box, 7, background, frame, ' stroke-width="3"'), *ellipses])


def snowflake(x: float, y: float) -> str:
    """Return the mark of frozen networks."""
    blue = DOMAIN["source"]
    circle = f'<circle cx="{number(x)}" cy="{number(y)}" r="8" fill="#ffffff" stroke="{blue}"/>'
    arms = ((0, 5), (4.3, 2.5), (4.3, -2.5))
    strokes = "".join(
        f"M{number(x - dx)} {number(y - dy)}L{number(x + dx)} {number(y + dy)}" for dx, dy in arms
    )
    return f'{circle}<path d="{strokes}" stroke="{blue}" stroke-width="1.5" fill="none"/>'


def arrow(points: Sequence[Point], colour: str, broken: bool = False) -> str:
    """Return an arrow along the points; a broken one stands for weights that are copied."""
    (x0, y0), (x1, y1) = points[-2:]
    length = abs(x1 - x0) + abs(y1 - y0)
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    neck = (x1 - 7 * dx, y1 - 7 * dy)
    line = "L".join(f"{number(x)} {number(y)}" for x, y in [*points[:-1], neck])
    head = [(x1, y1), (x1 - 9 * dx + 4.5 * dy, y1 - 9 * dy + 4.5 * dx)]
    head.append((x1 - 9 * dx - 4.5 * dy, y1 - 9 * dy - 4.5 * dx))
    tip = " ".join(f"{number(x)},{number(y)}" for x, y in head)
    dash = ' stroke-dasharray="5 4"' if broken else ""
    return (
        f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="1.8"'
        f' stroke-linejoin="round"{dash}/><polygon points="{tip}" fill="{colour}"/>'
    )


def tie(start: Point, end: Point) -> str:
    """Return the double line between two networks that are one and the same."""
    across = (2.5, 0) if start[0] == end[0] else (0, 2.5)
    lines = "".join(
        f"M{number(start[0] + s * across[0])} {number(start[1] + s * across[1])}"
        f"L{number(end[0] + s * across[0])} {number(end[1] + s * across[1])}"
        for s in (-1, 1)
    )
    return f'<path d="{lines}" stroke="{NETWORK["segmenter"][1]}" stroke-width="1.6" fill="none"/>'


def mark(name: str, x: float, y: float) -> str:
    """Return a mark of the legend, 28 pixels wide from ``x`` on."""
    frame = Box(x + 8, y - 8, x + 24, y + 8)
    if name in DOMAIN:
        return rect(frame, 4, CARD, DOMAIN[name], ' stroke-width="3"')
    if name == "frozen":
        return snowflake(x + 16, y)
    if name == "shared":
        return tie((x + 2, y), (x + 28, y))
    if name == "copy":
        return arrow([(x, y), (x + 28, y)], LINE, broken=True)
    if name == "loss":
        return rect(Box(x, y - 7, x + 28, y + 7), 7, LOSS["supervised"], LOSS["supervised"])
    raise ValueError(f"no mark {name!r}")
