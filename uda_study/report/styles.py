"""What diverse style transfer makes of slices: one anatomy per line, one style per column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from uda_study.errors import InputError, Problem
from uda_study.report import planes, sheet, slice_view, style
from uda_study.report.slice_view import Image, View
from uda_study.report.translations import Plane

MOST_ROWS, MOST_STYLES = 6, 8


@dataclass(frozen=True)
class Reference:
    """The slice ``(A, B)`` whose style was taken."""

    image: Image
    plane: Plane


@dataclass(frozen=True)
class StyleColumn:
    """A style: its name, and the slice that it is taken from, None for a sampled style."""

    name: str
    reference: Reference | None = None


@dataclass(frozen=True)
class StyleRow:
    """A slice ``(A, B)`` that gives the anatomy, and what it looks like in each style."""

    name: str
    image: Image
    rendered: tuple[Image, ...]
    plane: Plane


def styles_figure(
    rows: Sequence[StyleRow],
    styles: Sequence[StyleColumn],
    convention: planes.Convention = "radiological",
) -> style.Picture:
    """Draw one line per slice: the slice, then the slice in every style.

    Slices that styles were taken from stand in a line above and set the grey scale of their column;
    sampled styles get that of all of them together. Raises `InputError` unless there are 1 to 6
    rows and 1 to 8 styles that fit.
    """
    _check(rows, styles)
    windows = [_window(rows, styles, number) for number in range(len(styles))]
    lines = [_line(row, windows, convention) for row in rows]
    if any(column.reference is not None for column in styles):
        lines.insert(0, _references(styles, windows, convention))
    foot = sheet.Foot(
        0.0,
        lambda _figure, _top: None,
        f"{slice_view.describe(convention)} One style and one grey scale per column.",
    )
    return sheet.draw_sheet(["anatomy", *(column.name for column in styles)], lines, foot)


def _line(
    row: StyleRow, windows: Sequence[tuple[float, float]], convention: planes.Convention
) -> sheet.Line:
    view = View(row.plane.spacing, row.plane.axes, convention)

    def anatomy(panel: Axes) -> None:
        view.draw(panel, row.image)
        view.name_sides(panel)

    rendered = [
        partial(view.draw, image=image, window=window)
        for image, window in zip(row.rendered, windows, strict=True)
    ]
    return sheet.Line(row.name, view.proportion(row.image.shape), (anatomy, *rendered))


def _references(
    styles: Sequence[StyleColumn],
    windows: Sequence[tuple[float, float]],
    convention: planes.Convention,
) -> sheet.Line:
    blank = partial(slice_view.bare, colour=style.PAPER)
    panels = [blank]
    proportions = []
    for column, window in zip(styles, windows, strict=True):
        if column.reference is None:
            panels.append(blank)
            continue
        plane, image = column.reference.plane, column.reference.image
        view = View(plane.spacing, plane.axes, convention)
        panels.append(partial(view.draw, image=image, window=window))
        proportions.append(view.proportion(image.shape))
    return sheet.Line("style taken from", max(proportions), tuple(panels))


def _window(
    rows: Sequence[StyleRow], styles: Sequence[StyleColumn], number: int
) -> tuple[float, float]:
    """Return the grey scale of a column: of its reference, of all of them, or of what is drawn."""
    own = styles[number].reference
    seen = [column.reference.image for column in styles if column.reference is not None]
    if own is not None:
        seen = [own.image]
    drawn = seen or [row.rendered[number] for row in rows]
    return slice_view.window_of(np.concatenate([image.ravel() for image in drawn]))


def _check(rows: Sequence[StyleRow], styles: Sequence[StyleColumn]) -> None:
    problems = []
    for what, count, most in (("rows", len(rows), MOST_ROWS), ("styles", len(styles), MOST_STYLES)):
        if not 1 <= count <= most:
            problems.append(Problem(f"style figure, {what}", f"must be 1 to {most}", str(count)))
    for row in rows:
        where = f"style row {row.name!r}"
        if len(row.rendered) != len(styles):
            rule = f"needs one image for each of {len(styles)} styles"
            problems.append(Problem(where, rule, str(len(row.rendered))))
        shapes = sorted({str(image.shape) for image in (row.image, *row.rendered)})
        if len(shapes) != 1 or row.image.ndim != 2:
            problems.append(Problem(where, "needs slices of one shape (A, B)", ", ".join(shapes)))
    if problems:
        raise InputError(problems)
