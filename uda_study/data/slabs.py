"""Native labels from class probabilities that come slab by slab, so that no volume of them exists.

Of K classes on a grid of N voxels the probabilities take 4 K N bytes, and resampling them as much
again. Here only the slabs are held that the next native planes are interpolated from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uda_study.data.grid import TRUNCATE, Grid, Shape, largest, mapping, resample

# How many native planes are resampled at once.
_PLANES = 16


@dataclass(frozen=True, eq=False)
class NativeLabels:
    """The class of every native voxel (X, Y, Z), and how sure the network was of each class.

    ``confidence`` holds, for each class, the mean probability of the voxels that it won, NaN where
    it won none.
    """

    labels: NDArray[np.uint8]
    confidence: tuple[float, ...]


def slabs_to_native(slabs: Iterable[NDArray[np.float32]], grid: Grid, classes: int) -> NativeLabels:
    """Return native labels from class probabilities that come as slabs ``(K, X, Y, n)``, along Z.

    The answer is that of `labels_to_native` on the whole, up to the rounding of float32, but only
    the slabs that the next native planes are interpolated from are held.
    """
    axes, flips, _, _ = mapping(grid)
    labels = np.zeros(grid.native_shape, np.uint8)
    # A view: what is written to it lies in the native order.
    canonical = np.flip(labels.transpose(axes), flips)
    sums, counts = np.zeros(classes), np.zeros(classes)
    for planes, maps in _native_planes(slabs, grid):
        winner, best = largest(maps)
        canonical[:, :, planes] = winner
        sums += np.bincount(winner.ravel(), best.ravel(), minlength=classes)
        counts += np.bincount(winner.ravel(), minlength=classes)
    shares = (float(s / n) if n else float("nan") for s, n in zip(sums, counts, strict=True))
    return NativeLabels(labels, tuple(shares))


def _native_planes(
    slabs: Iterable[NDArray[np.float32]], grid: Grid
) -> Iterator[tuple[slice, Iterator[NDArray[np.float32]]]]:
    """Yield planes across the study's third axis with each class's map there, as they get ready."""
    axes, _, scale, offset = mapping(grid)
    step, shift = 1 / scale, -offset / scale
    x, y, planes = (grid.native_shape[axis] for axis in axes)
    sigma = np.sqrt(max(step[2] ** 2 - 1, 0)) / 2.355
    reach = int(TRUNCATE * sigma + 0.5) + 2

    def needs(plane: int, beyond: int) -> int:
        """Return the study's slice that lies so far beyond a native plane, inside the volume."""
        return int(np.clip(np.floor(step[2] * plane + shift[2]) + beyond, 0, grid.shape[2]))

    held: NDArray[np.float32] | None = None
    first = done = known = 0
    for slab in slabs:
        held = slab if held is None else np.concatenate([held, slab], axis=3)
        known += slab.shape[3]
        while done < planes:
            end = min(done + _PLANES, planes)
            while end > done and needs(end - 1, reach + 1) > known:
                end -= 1
            if end == done:
                break
            low, high = needs(done, -reach), needs(end - 1, reach + 1)
            part = held[..., low - first : high - first]
            at = np.array([shift[0], shift[1], step[2] * done + shift[2] - low])
            shape: Shape = (x, y, end - done)
            yield (
                slice(done, end),
                (resample(each, step, at, shape, order=1, fill=0.0) for each in part),
            )
            done = end
        unused = min(needs(done, -reach), known) - first
        if unused > 0:
            held = held[..., unused:]
            first += unused
