"""How a set of parallel slices lies in space: their order, their distance, and their affine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uda_study.errors import InputError, Problem

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_SAME_DIRECTION = 1e-3
_SAME_SPACING = 1e-3
_SAME_PLACE = 1e-3
"""In mm: slices nearer to each other than this repeat a position."""
_UNEVEN = 0.1
"""In slice distances, as `uda_study.data.read.SPACE_TOLERANCE` is in voxels."""
_UPRIGHT = 0.999


@dataclass(frozen=True, eq=False)
class Geometry:
    """One slice: (columns, rows), the first pixel's centre and the directions in LPS, mm.

    ``along_row`` points to the next column, ``along_column`` to the next row. ``spacing`` has the
    distance of rows first, as in DICOM.
    """

    shape: tuple[int, int]
    position: NDArray[np.float64]
    along_row: NDArray[np.float64]
    along_column: NDArray[np.float64]
    spacing: NDArray[np.float64]
    thickness: float | None


@dataclass(frozen=True, eq=False)
class Stack:
    """The affine of a volume (X, Y, Z) to RAS mm, and for each Z the number of its file."""

    affine: NDArray[np.float64]
    file_order: tuple[int, ...]


def stack_of(slices: Sequence[Geometry], where: str) -> Stack:
    """Return how the slices form a volume, sorted along their normal.

    Raises `InputError` unless they have one shape, spacing and orientation, and stand straight
    behind each other at even distances, each position once.
    """
    first = slices[0]
    _refuse_differences(slices, where)
    normal = np.cross(first.along_row, first.along_column)
    positions = np.array([one.position for one in slices])
    order = np.argsort(positions @ normal, kind="stable")
    positions = positions[order]
    step = _single(first, normal, where) if len(slices) == 1 else _step(positions, normal, where)
    lps = np.eye(4)
    lps[:3, 0] = first.along_row * first.spacing[1]
    lps[:3, 1] = first.along_column * first.spacing[0]
    lps[:3, 2] = step
    lps[:3, 3] = positions[0]
    return Stack(_LPS_TO_RAS @ lps, tuple(int(number) for number in order))


def _refuse_differences(slices: Sequence[Geometry], where: str) -> None:
    first = slices[0]
    axes = np.stack([first.along_row, first.along_column])
    if not np.allclose(axes @ axes.T, np.eye(2), atol=_SAME_DIRECTION):
        raise InputError.of(
            where, "the directions of row and column must be at right angles and of length 1",
            None, "convert the series",
        )  # fmt: skip
    if not (first.spacing > 0).all():
        raise InputError.of(
            where, "PixelSpacing must be positive", first.spacing.tolist(), "convert the series"
        )
    alike = {
        "shape": [one.shape == first.shape for one in slices],
        "pixel spacing": [
            np.allclose(one.spacing, first.spacing, rtol=_SAME_SPACING, atol=0) for one in slices
        ],
        "orientation": [
            np.allclose([one.along_row, one.along_column], axes, atol=_SAME_DIRECTION)
            for one in slices
        ],
    }
    problems = [
        Problem(
            where, f"all slices must have the {name} of the first",
            f"{same.count(False)} others of {len(slices)}", "separate the slices",
        )
        for name, same in alike.items()
        if not all(same)
    ]  # fmt: skip
    if problems:
        raise InputError(problems)


def _single(only: Geometry, normal: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    if only.thickness is None or not 0 < only.thickness < np.inf:
        raise InputError.of(
            where, "a single slice needs a SliceThickness", only.thickness, "copy the whole series"
        )
    return normal * only.thickness


def _step(
    positions: NDArray[np.float64], normal: NDArray[np.float64], where: str
) -> NDArray[np.float64]:
    """Return the vector from one slice to the next; positions are sorted along the normal."""
    distances = np.diff(positions @ normal)
    repeated = int((distances < _SAME_PLACE).sum())
    if repeated:
        raise InputError.of(
            where, "every slice needs a position of its own", f"{repeated} that repeat another's",
            "keep one series, phase or echo in the folder",
        )  # fmt: skip
    usual = float(np.median(distances))
    missing = int(np.round(distances[distances > 1.5 * usual] / usual - 1).sum())
    if missing:
        raise InputError.of(
            where, "slices are missing", f"gaps for {missing} slices {usual:.4g} mm apart",
            "copy the whole series",
        )  # fmt: skip
    step: NDArray[np.float64] = (positions[-1] - positions[0]) / (len(positions) - 1)
    straight = positions[0] + np.arange(len(positions))[:, np.newaxis] * step
    away = float(np.linalg.norm(positions - straight, axis=1).max())
    if away > _UNEVEN * usual:
        raise InputError.of(
            where, "slices must be evenly spaced on a line", f"one is {away:.3g} mm off",
            "resample the series",
        )  # fmt: skip
    upright = float(step @ normal / np.linalg.norm(step))
    if upright < _UPRIGHT:
        raise InputError.of(
            where, "slices must stand straight behind each other",
            f"a tilt of {np.degrees(np.arccos(upright)):.3g} degrees", "resample the series",
        )  # fmt: skip
    return step
