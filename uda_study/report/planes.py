"""Which slice of a volume is shown, and which way up."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Convention = Literal["radiological", "neurological"]
"""``radiological``: the patient's right is on the left of the picture; ``neurological``: left."""

OPPOSITE = {"R": "L", "L": "R", "A": "P", "P": "A", "S": "I", "I": "S"}

# What stands upright: left-right runs across, superior-inferior runs down.
_ACROSS_FIRST = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}


def widest_slice(
    truth: NDArray[np.uint8] | None, prediction: NDArray[np.uint8], axis: int = 2
) -> int:
    """Return the index along ``axis`` where the truth's structures cover most voxels.

    Without truth, or where it is empty, the prediction decides; if that is empty too, the middle.

    >>> truth = np.zeros((2, 2, 5), np.uint8)
    >>> prediction = truth.copy()
    >>> prediction[0, 0, 3] = 1
    >>> widest_slice(truth, prediction)
    3
    """
    others = tuple(other for other in range(prediction.ndim) if other != axis)
    for labels in (truth, prediction):
        if labels is not None and labels.any():
            return int((labels > 0).sum(axis=others).argmax())
    return int(prediction.shape[axis]) // 2


def turns(axes: tuple[str, str], convention: Convention) -> tuple[bool, bool, bool]:
    """Return whether to transpose, then flip across, then flip down, for rows from top to bottom.

    ``axes`` says towards which side of the patient (R, L, A, P, S or I) each index grows. After
    the turns the first axis runs down the picture and the second across; superior is up, or else
    anterior, which is left in a sagittal slice.
    """
    transpose = _ACROSS_FIRST[axes[0]] < _ACROSS_FIRST[axes[1]]
    down, across = reversed(axes) if transpose else axes
    left = {"radiological": "R", "neurological": "L"}[convention]
    return transpose, across in (left, "A"), down in ("A", "S")


def upright(plane: NDArray[Any], axes: tuple[str, str], convention: Convention) -> NDArray[Any]:
    """Return the slice ``(rows, columns)`` as it is to be shown, first row on top."""
    transpose, flip_across, flip_down = turns(axes, convention)
    turned = plane.T if transpose else plane
    turned = turned[:, ::-1] if flip_across else turned
    return turned[::-1] if flip_down else turned


def sides(axes: tuple[str, str], convention: Convention) -> tuple[str, str]:
    """Return which side of the patient is on the left and on top of the picture.

    >>> sides(("R", "A"), "radiological"), sides(("A", "S"), "neurological")
    (('R', 'A'), ('A', 'S'))
    """
    transpose, flip_across, flip_down = turns(axes, convention)
    down, across = reversed(axes) if transpose else axes
    return across if flip_across else OPPOSITE[across], down if flip_down else OPPOSITE[down]
