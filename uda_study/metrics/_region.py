"""The part of a comparison in which a structure lies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from uda_study.metric import Comparison

Mask = NDArray[np.bool_]
Box = tuple[slice, ...]


class Region(NamedTuple):
    """A structure's masks in the box around both, over the axes that the image extends along.

    An axis of a single voxel, such as the third of a 2D image, is no direction: nothing can lie
    apart along it, and no surface crosses it.
    """

    predicted: Mask
    true: Mask
    spacing: tuple[float, ...]


def region(comparison: Comparison, structure: int) -> Region:
    """Return the masks ``(X', Y', …)`` of a structure that prediction or truth has."""
    boxes = comparison.shared(_boxes, 0)
    found = [box[structure - 1] for box in boxes if len(box) >= structure]
    box = _around([each for each in found if each is not None])
    flat = tuple(axis for axis, size in enumerate(comparison.truth.shape) if size == 1)
    return Region(
        (comparison.prediction[box] == structure).squeeze(flat),
        (comparison.truth[box] == structure).squeeze(flat),
        extended(comparison),
    )


def extended(comparison: Comparison) -> tuple[float, ...]:
    """Return the spacing in mm along the axes that the image extends along."""
    pairs = zip(comparison.spacing, comparison.truth.shape, strict=True)
    return tuple(edge for edge, size in pairs if size > 1)


def _boxes(comparison: Comparison, _: int) -> tuple[list[Box | None], list[Box | None]]:
    """Return the boxes around the values 1, 2, … of prediction and truth, None where there is none.

    They are found for all structures in one pass.
    """
    return ndimage.find_objects(comparison.prediction), ndimage.find_objects(comparison.truth)


def _around(boxes: list[Box]) -> Box:
    """Return the box around boxes."""
    return tuple(
        slice(min(part.start for part in axis), max(part.stop for part in axis))
        for axis in zip(*boxes, strict=True)
    )
