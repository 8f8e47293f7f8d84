"""Segmentations drawn onto slices, before and after adaptation, beside the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from uda_study.errors import InputError, Problem
from uda_study.metric import Comparison
from uda_study.metrics.dice import Dice
from uda_study.report import planes, sheet, slice_view, style
from uda_study.report.legend import Entry, Legend
from uda_study.report.slice_view import Image, Labels, View

MOST_ROWS = 6


@dataclass(frozen=True)
class OverlayRow:
    """An image and its class maps: a slice ``(A, B)``, or a volume to take one from (`cut`).

    ``spacing`` is in mm; ``axes`` says towards which side of the patient (R, L, A, P, S or I) each
    index grows. ``truth`` is None for images without labels, ``before`` for methods without a
    source model, ``translated`` for methods that change no images.
    """

    name: str
    image: Image
    after: Labels
    truth: Labels | None = None
    before: Labels | None = None
    translated: Image | None = None
    spacing: tuple[float, ...] = (1.0, 1.0)
    axes: tuple[str, ...] = ("R", "A")

    def cut(self, index: int, axis: int = 2) -> OverlayRow:
        """Return one slice across ``axis``."""

        def cut(volume: NDArray[Any] | None) -> Any:
            return None if volume is None else volume.take(index, axis)

        return replace(
            self,
            name=f"{self.name}, slice {index}",
            image=cut(self.image),
            after=cut(self.after),
            truth=cut(self.truth),
            before=cut(self.before),
            translated=cut(self.translated),
            spacing=self.spacing[:axis] + self.spacing[axis + 1 :],
            axes=self.axes[:axis] + self.axes[axis + 1 :],
        )

    @property
    def label_maps(self) -> Iterator[Labels]:
        """Truth and predictions, as far as there are any."""
        yield from (m for m in (self.truth, self.before, self.after) if m is not None)


@dataclass(frozen=True)
class _Column:
    """What one column shows of a row, and whether its Dice is written into it."""

    title: str
    image: Callable[[OverlayRow], Image | None]
    labels: Callable[[OverlayRow], Labels | None]
    scored: bool = False


def overlay_figure(
    rows: Sequence[OverlayRow],
    class_names: Sequence[str],
    convention: planes.Convention = "radiological",
) -> style.Picture:
    """Draw one line of panels per slice: image, translated, truth, before and after adaptation.

    Columns that no row fills are left out. ``class_names`` starts with the background. Raises
    `InputError` unless there are 1 to 6 rows whose arrays and classes fit.
    """
    _check(rows, class_names)
    columns = [c for c in _columns(rows) if any(c.image(row) is not None for row in rows)]
    views = [View((r.spacing[0], r.spacing[1]), (r.axes[0], r.axes[1]), convention) for r in rows]
    shown = {int(k) for row in rows for labels in row.label_maps for k in np.unique(labels)}
    legend = Legend(
        [Entry(class_names[k], *style.contour(k)) for k in sorted(shown - {0})],
        sheet.inner_width(len(columns)),
    )
    lines = [
        sheet.Line(
            row.name,
            view.proportion(row.image.shape),
            tuple(
                partial(_draw, view=view, row=row, column=column, named=number == 0)
                for number, column in enumerate(columns)
            ),
        )
        for row, view in zip(rows, views, strict=True)
    ]
    foot = sheet.Foot(
        legend.height,
        lambda figure, top: legend.draw(figure, sheet.MARGIN, top),
        f"{slice_view.describe(convention)} "
        "Dice: of the slice shown, mean over the structures in it.",
    )
    return sheet.draw_sheet([column.title for column in columns], lines, foot)


def _columns(rows: Sequence[OverlayRow]) -> list[_Column]:
    translates = any(row.translated is not None for row in rows)
    return [
        _Column("input" if translates else "image", lambda r: r.image, lambda _: None),
        _Column("translated", lambda r: r.translated, lambda _: None),
        _Column("truth", lambda r: None if r.truth is None else r.image, lambda r: r.truth),
        _Column(
            "before adaptation",
            lambda r: None if r.before is None else r.image,
            lambda r: r.before,
            scored=True,
        ),
        _Column("after adaptation", lambda r: r.image, lambda r: r.after, scored=True),
    ]


def _draw(panel: Axes, view: View, row: OverlayRow, column: _Column, named: bool) -> None:
    image, labels = column.image(row), column.labels(row)
    if image is None:
        slice_view.missing(panel)
        return
    view.draw(panel, image, labels)
    if named:
        view.name_sides(panel)
    if column.scored and labels is not None and row.truth is not None:
        slice_view.caption(panel, f"Dice {slice_dice(labels, row.truth)}")


def slice_dice(prediction: Labels, truth: Labels) -> str:
    """Return the Dice of a slice, mean over the structures in it, as text."""
    present = [int(k) for k in np.union1d(prediction, truth) if k > 0]
    if not present:
        return "–"
    pair = Comparison(np.asarray(prediction), np.asarray(truth), (1.0, 1.0))
    values = Dice().measure(pair, present).values()
    return f"{sum(values) / len(present):.2f}"


def _check(rows: Sequence[OverlayRow], class_names: Sequence[str]) -> None:
    problems = []
    if not 1 <= len(rows) <= MOST_ROWS:
        problems.append(Problem("overlay rows", f"must be 1 to {MOST_ROWS}", str(len(rows))))
    for row in rows:
        where = f"overlay row {row.name!r}"
        arrays = [row.image, *row.label_maps]
        arrays += [] if row.translated is None else [row.translated]
        shapes = sorted({str(array.shape) for array in arrays})
        if len(shapes) != 1 or row.image.ndim != 2:
            problems.append(
                Problem(
                    where,
                    "needs slices of one shape (A, B)",
                    ", ".join(shapes),
                    "take a slice of volumes with cut()",
                )
            )
        highest = max(int(labels.max()) for labels in row.label_maps)
        if highest >= len(class_names):
            problems.append(
                Problem(where, f"has names for {len(class_names)} classes", f"class {highest}")
            )
    if problems:
        raise InputError(problems)
