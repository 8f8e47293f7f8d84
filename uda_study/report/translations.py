"""What a translation does to slices: there, back, and to images that need none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uda_study.errors import InputError, Problem
from uda_study.report import planes, sheet, slice_view, style
from uda_study.report.slice_view import Image, View

MOST_ROWS = 6

_DIVERGING = "RdBu_r"
# Inches.
_BAR_LEFT, _BAR, _BAR_HEIGHT, _FOOT = 2.35, 1.6, 0.11, 0.22


@dataclass(frozen=True)
class Plane:
    """How a slice ``(A, B)`` lies: mm along both, and the patient's sides that they grow to."""

    spacing: tuple[float, float]
    axes: tuple[str, str]


@dataclass(frozen=True)
class TranslationRow:
    """A target slice with what became of it, beside a source slice; images ``(A, B)``.

    ``cycled`` is ``translated`` mapped back, None for methods that do not; ``identity`` is
    ``source`` translated. The source's slice may lie and be sized otherwise than the target's.
    """

    name: str
    image: Image
    translated: Image
    cycled: Image | None
    plane: Plane
    source_name: str
    source: Image
    identity: Image
    source_plane: Plane

    @property
    def difference(self) -> Image:
        """What the translation added."""
        return self.translated - self.image


def translations_figure(
    rows: Sequence[TranslationRow], convention: planes.Convention = "radiological"
) -> style.Picture:
    """Draw one line per target slice: input, translated, difference, cycled, source, identity.

    Cycled is left out where no row has one. Images of one appearance share a grey scale, all
    differences one scale of colours. Raises `InputError` unless there are 1 to 6 rows whose images
    fit.
    """
    _check(rows)
    limit = _limit(rows)
    cycles = any(row.cycled is not None for row in rows)
    lines = [_line(row, limit, cycles, convention) for row in rows]
    titles = ["input", "translated", "difference", "cycled", "source", "source translated"]
    foot = sheet.Foot(
        _FOOT,
        partial(_draw_bar, limit=limit),
        f"{slice_view.describe(convention)} "
        "Δ: mean absolute difference from the input or the source, of the slice shown.",
    )
    return sheet.draw_sheet([t for t in titles if cycles or t != "cycled"], lines, foot)


def _line(
    row: TranslationRow, limit: float, cycles: bool, convention: planes.Convention
) -> sheet.Line:
    target = View(row.plane.spacing, row.plane.axes, convention)
    source = View(row.source_plane.spacing, row.source_plane.axes, convention)
    before, wanted = slice_view.window_of(row.image), slice_view.window_of(row.source)

    def first(panel: Axes) -> None:
        target.draw(panel, row.image, window=before)
        target.name_sides(panel)

    def difference(panel: Axes) -> None:
        target.draw(panel, row.difference, window=(-limit, limit), colours=_DIVERGING)

    def cycled(panel: Axes) -> None:
        if row.cycled is None:
            slice_view.missing(panel)
            return
        target.draw(panel, row.cycled, window=before)
        slice_view.caption(panel, f"Δ {_distance(row.cycled, row.image)}")

    def original(panel: Axes) -> None:
        source.draw(panel, row.source, window=wanted)
        slice_view.caption(panel, row.source_name)

    def identity(panel: Axes) -> None:
        source.draw(panel, row.identity, window=wanted)
        slice_view.caption(panel, f"Δ {_distance(row.identity, row.source)}")

    panels: list[Callable[[Axes], None]] = [
        first,
        lambda panel: target.draw(panel, row.translated, window=wanted),
        difference,
        *([cycled] if cycles else []),
        original,
        identity,
    ]
    proportion = max(target.proportion(row.image.shape), source.proportion(row.source.shape))
    return sheet.Line(row.name, proportion, tuple(panels))


def _distance(image: Image, other: Image) -> str:
    return f"{np.abs(image - other).mean():.2f}"


def _limit(rows: Sequence[TranslationRow]) -> float:
    """Return the difference that gets the strongest colour; rarer ones get it as well."""
    values = np.concatenate([np.abs(row.difference).ravel() for row in rows])
    values = values[np.isfinite(values)]
    limit = float(np.percentile(values, 99.5)) if values.size else 0.0
    return limit if limit > 0 else 1.0


def _draw_bar(figure: Figure, top: float, limit: float) -> None:
    """Draw the scale of the differences."""
    style.write(figure, sheet.MARGIN, top, "translated - input", size=style.SMALL)
    bar = style.place(figure, _BAR_LEFT - _BAR / 2, top, _BAR, _BAR_HEIGHT)
    slice_view.bare(bar, style.PAPER)
    bar.imshow(np.linspace(-1, 1, 256)[None], cmap=_DIVERGING, aspect="auto")
    for place, text, align in (
        (_BAR_LEFT - _BAR / 2 - 0.06, f"-{limit:.2g}", "right"),
        (_BAR_LEFT + _BAR / 2 + 0.06, f"+{limit:.2g} (normalised intensity)", "left"),
    ):
        style.write(figure, place, top, text, size=style.SMALL, align=align)


def _check(rows: Sequence[TranslationRow]) -> None:
    problems = []
    if not 1 <= len(rows) <= MOST_ROWS:
        problems.append(Problem("translation rows", f"must be 1 to {MOST_ROWS}", str(len(rows))))
    for row in rows:
        cycled = [] if row.cycled is None else [row.cycled]
        for side, images in (
            ("target", [row.image, row.translated, *cycled]),
            ("source", [row.source, row.identity]),
        ):
            shapes = sorted({str(image.shape) for image in images})
            if len(shapes) != 1 or images[0].ndim != 2:
                problems.append(
                    Problem(
                        f"translation row {row.name!r}, {side}",
                        "needs slices of one shape (A, B)",
                        ", ".join(shapes),
                    )
                )
    if problems:
        raise InputError(problems)
