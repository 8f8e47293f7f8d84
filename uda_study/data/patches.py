"""Cut patches out of volumes; whatever lies outside the volume is padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def centred_start(size: int, patch: int) -> int:
    """Return where a patch begins so that it lies centred on (or around) an axis.

    >>> centred_start(10, 4), centred_start(5, 8)
    (3, -2)
    """
    return (size - patch) // 2


def start_around(centre: int, size: int, patch: int) -> int:
    """Return where a patch begins that is centred on a voxel and stays inside where it can.

    >>> start_around(5, 10, 4), start_around(0, 10, 4), start_around(3, 5, 8)
    (3, 0, -2)
    """
    if size <= patch:
        return centred_start(size, patch)
    return min(max(centre - patch // 2, 0), size - patch)


def covered(start: int, size: int, patch: int) -> tuple[slice, slice]:
    """Return the part of an axis that a patch covers, and the same part inside the patch."""
    low, high = max(start, 0), min(start + patch, size)
    return slice(low, high), slice(low - start, high - start)


def cut(
    volume: NDArray[Any], start: Sequence[int], patch: Sequence[int], padding: NDArray[Any]
) -> NDArray[Any]:
    """Return a patch ``(C, *patch)`` of ``(C, X, Y, Z)``; ``padding`` has one value per channel."""
    spans = [
        covered(begin, size, length)
        for begin, size, length in zip(start, volume.shape[1:], patch, strict=True)
    ]
    taken = volume[(slice(None), *(source for source, _ in spans))]
    if taken.shape[1:] == tuple(patch):
        return np.array(taken)
    result = np.empty((volume.shape[0], *patch), volume.dtype)
    result[:] = padding.reshape(-1, 1, 1, 1)
    result[(slice(None), *(target for _, target in spans))] = taken
    return result


def cut_input(
    image: NDArray[np.float32],
    start: Sequence[int],
    patch: Sequence[int],
    padding: NDArray[np.float32],
    adjacent_slices: int,
) -> NDArray[np.float32]:
    """Return what a network sees: ``(C, *patch)`` in 3D, ``(C * adjacent_slices, *patch)`` in 2D.

    ``start`` has three entries. A patch of two dimensions lies in slice ``start[2]``; its
    neighbours (the volume's last slice repeated beyond its ends) become further channels, in the
    order of the slices.
    """
    if len(patch) == 3:
        return cut(image, start, patch, padding)
    reach, last = adjacent_slices // 2, image.shape[3] - 1
    slices = [
        cut(image, (*start[:2], min(max(start[2] + step, 0), last)), (*patch, 1), padding)[..., 0]
        for step in range(-reach, reach + 1)
    ]
    return slices[0] if len(slices) == 1 else np.concatenate(slices)


def cut_label(
    label: NDArray[np.uint8], start: Sequence[int], patch: Sequence[int]
) -> NDArray[np.uint8]:
    """Return the classes ``(*patch)`` of (X, Y, Z); padding is background."""
    deep = tuple(patch) if len(patch) == 3 else (*patch, 1)
    part: NDArray[np.uint8] = cut(label[np.newaxis], start, deep, np.zeros(1, np.uint8))[0]
    return part if len(patch) == 3 else part[..., 0]
