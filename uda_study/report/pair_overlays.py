"""The cases where two rows differ most: truth and both segmentations on the same slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import nibabel as nib
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from uda_study.errors import InputError, Problem
from uda_study.report import planes, sheet, slice_view, style
from uda_study.report.legend import Entry, Legend
from uda_study.report.overlays import slice_dice
from uda_study.report.slice_view import Image, Labels, View

MOST_CASES = 6
_COLUMNS = ("image", "truth", "A", "B")


@dataclass(frozen=True)
class PairOverlay:
    """A slice ``(A, B)`` of a case with its truth and what both sides make of it.

    ``dice`` is the case's on both sides. ``spacing`` is in mm; ``axes`` says towards which side of
    the patient (R, L, A, P, S or I) each index grows.
    """

    name: str
    image: Image
    truth: Labels
    first: Labels
    second: Labels
    dice: tuple[float, float]
    spacing: tuple[float, float]
    axes: tuple[str, str]


@dataclass(frozen=True)
class Volumes:
    """A case as both sides segment it; ``(X, Y, Z)`` on one grid that ``affine`` maps to mm."""

    image: Image
    truth: Labels
    first: Labels
    second: Labels
    affine: NDArray[np.float64]

    @property
    def axis(self) -> int:
        """The axis that slices are cut across: the coarsest one, of equal ones the last."""
        edges = nib.affines.voxel_sizes(self.affine).round(3)
        shape = self.image.shape
        return max(range(3), key=lambda axis: (shape[axis] == 1, float(edges[axis]), axis))

    def cut(self, name: str, dice: tuple[float, float]) -> PairOverlay:
        """Return the slice on which most voxels differ between the sides."""
        axis = self.axis
        differ = (self.first != self.second).astype(np.uint8)
        index = planes.widest_slice(differ, self.truth, axis)
        one, other = (kept for kept in range(3) if kept != axis)
        edges = nib.affines.voxel_sizes(self.affine)
        sides = nib.orientations.aff2axcodes(self.affine)

        def cut(volume: NDArray[Any]) -> Any:
            # A copy, since a view would keep the whole volume in memory.
            return volume.take(index, axis)

        return PairOverlay(
            name=f"{name}, slice {index}",
            image=cut(self.image),
            truth=cut(self.truth),
            first=cut(self.first),
            second=cut(self.second),
            dice=dice,
            spacing=(float(edges[one]), float(edges[other])),
            axes=(sides[one], sides[other]),
        )


def pair_overlays(
    cases: Sequence[PairOverlay],
    class_names: Sequence[str],
    convention: planes.Convention = "radiological",
) -> style.Picture:
    """Draw one line of panels per case: image, truth, A and B, where A and B differ most.

    ``class_names`` starts with the background. Raises `InputError` unless there are 1 to 6 cases
    whose arrays and classes fit.
    """
    _check(cases, class_names)
    shown = {int(k) for c in cases for m in (c.truth, c.first, c.second) for k in np.unique(m)}
    legend = Legend(
        [Entry(class_names[k], *style.contour(k)) for k in sorted(shown - {0})],
        sheet.inner_width(len(_COLUMNS)),
    )
    lines = [_line(case, convention) for case in cases]
    foot = sheet.Foot(
        legend.height,
        lambda figure, top: legend.draw(figure, sheet.MARGIN, top),
        f"{slice_view.describe(convention)} Dice: of the case, and of the slice shown.",
    )
    return sheet.draw_sheet(_COLUMNS, lines, foot)


def _line(case: PairOverlay, convention: planes.Convention) -> sheet.Line:
    view = View(case.spacing, case.axes, convention)
    texts = [
        f"Dice {dice:.2f}, here {slice_dice(labels, case.truth)}"
        for dice, labels in zip(case.dice, (case.first, case.second), strict=True)
    ]
    draw = partial(_draw, view=view, image=case.image)
    return sheet.Line(
        case.name,
        view.proportion(case.image.shape),
        (
            partial(draw, named=True),
            partial(draw, labels=case.truth),
            partial(draw, labels=case.first, text=texts[0]),
            partial(draw, labels=case.second, text=texts[1]),
        ),
    )


def _draw(
    panel: Axes, view: View, image: Image, labels: Labels | None = None, text: str = "",
    named: bool = False,
) -> None:  # fmt: skip
    view.draw(panel, image, labels)
    if named:
        view.name_sides(panel)
    if text:
        slice_view.caption(panel, text)


def _check(cases: Sequence[PairOverlay], class_names: Sequence[str]) -> None:
    problems = []
    if not 1 <= len(cases) <= MOST_CASES:
        problems.append(Problem("cases", f"must be 1 to {MOST_CASES}", str(len(cases))))
    for case in cases:
        arrays = [case.image, case.truth, case.first, case.second]
        shapes = sorted({str(array.shape) for array in arrays})
        if len(shapes) != 1 or case.image.ndim != 2:
            problems.append(
                Problem(f"case {case.name}", "needs slices of one shape", ", ".join(shapes))
            )
        highest = max(int(labels.max()) for labels in (case.truth, case.first, case.second))
        if highest >= len(class_names):
            problems.append(
                Problem(
                    f"case {case.name}", f"has names for {len(class_names)} classes",
                    f"class {highest}",
                )
            )  # fmt: skip
    if problems:
        raise InputError(problems)
