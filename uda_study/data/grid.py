"""The study's grid of one image, and the one resampling step in each direction.

The grid follows the image's own axes, brought to the order and signs closest to RAS; it is never
rotated into the world, because oblique images (a spinal cord, a heart) would be blurred by it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import nibabel.orientations
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from uda_study.dataset import SliceAxis

Shape = tuple[int, int, int]
Affine = tuple[tuple[float, ...], ...]

TRUNCATE = 4.0
"""Where the Gaussian before a resampling is cut off, in standard deviations."""

_orientations: Any = nibabel.orientations  # not typed

# Right, anterior, superior in the order in which the study's grid has them.
_ORDERS: dict[SliceAxis, tuple[int, int, int]] = {
    "axial": (0, 1, 2),
    "coronal": (0, 2, 1),
    "sagittal": (1, 2, 0),
}
# Spacings that differ by less than this share are the same: headers hold float32.
_SAME_SPACING = 1e-4
_SNAP = 1e-6


@dataclass(frozen=True)
class Grid:
    """Where the voxels of the native image and of the study's image lie; affines map to RAS mm."""

    native_shape: Shape
    native_affine: Affine
    shape: Shape
    affine: Affine

    @classmethod
    def of(
        cls,
        native_shape: tuple[int, ...],
        native_affine: ArrayLike,
        spacing: tuple[float, float, float] | None,
        size: tuple[int, int, int] | None,
        slices: SliceAxis = "axial",
    ) -> Grid:
        """Return the study's grid of an image.

        ``spacing`` (mm along the RAS-ordered axes; None keeps the native one) keeps the centre of
        the field of view in place; ``size`` then crops or pads by whole voxels around the centre.
        The axis across the ``slices`` becomes the last one, the two others keep their order.
        """
        native = np.asarray(native_affine, dtype=np.float64)
        orientation = _orientations.io_orientation(native)
        to_native = _orientations.inv_ornt_aff(orientation, native_shape)
        axes = [int(np.flatnonzero(orientation[:, 0] == axis)[0]) for axis in range(3)]
        extent = [int(native_shape[axis]) for axis in axes]
        native_spacing = np.linalg.norm((native @ to_native)[:3, :3], axis=0)
        shape, to_canonical = [], np.eye(4)
        for axis, (count, edge) in enumerate(zip(extent, native_spacing, strict=True)):
            scale = 1.0 if spacing is None else spacing[axis] / float(edge)
            if abs(scale - 1) < _SAME_SPACING:
                scale = 1.0
            voxels = count if scale == 1 else max(1, round(count / scale))
            start = 0 if size is None else (voxels - size[axis]) // 2
            shape.append(voxels if size is None else size[axis])
            to_canonical[axis, axis] = scale
            to_canonical[axis, 3] = (count - 1) / 2 - scale * (voxels - 1) / 2 + scale * start
        order = _ORDERS[slices]
        affine = (native @ to_native @ to_canonical)[:, [*order, 3]]
        shape = [shape[axis] for axis in order]
        return cls(_shape(native_shape), _affine(native), _shape(shape), _affine(affine))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """The distances of neighbouring voxels of the study's grid, in mm."""
        x, y, z = np.linalg.norm(np.asarray(self.affine)[:3, :3], axis=0)
        return float(x), float(y), float(z)

    def to_json(self) -> str:
        """Return the grid as JSON text; `from_json` reads it back exactly."""
        return json.dumps(
            {name: getattr(self, name) for name in self.__dataclass_fields__}, sort_keys=True
        )

    @classmethod
    def from_json(cls, text: str) -> Grid:
        """Read `to_json`; raises ValueError, KeyError or TypeError for anything else."""
        values = json.loads(text)
        return cls(
            _shape(values["native_shape"]),
            _affine(values["native_affine"]),
            _shape(values["shape"]),
            _affine(values["affine"]),
        )


def resample_to_study(
    array: NDArray[Any], grid: Grid, order: int, fill: float = 0.0
) -> NDArray[Any]:
    """Map a native array (X, Y, Z) to the study's grid; voxels outside the image get ``fill``.

    Pure flips, permutations and crops copy voxels exactly. Otherwise ``order`` 0 takes the nearest
    voxel and order 1 interpolates linearly to float32; before it, axes that lose resolution by a
    factor f are smoothed by a Gaussian of sqrt(f² - 1) / 2.355 voxels, which matches the point
    spread functions of the two grids (Cardoso et al., MICCAI 2015).
    """
    axes, flips, scale, offset = mapping(grid)
    canonical = np.flip(array.transpose(axes), flips)
    return resample(canonical, scale, offset, grid.shape, order=order, fill=fill)


def resample_to_native(
    array: NDArray[Any], grid: Grid, order: int, fill: float = 0.0
) -> NDArray[Any]:
    """Map study arrays ``(*shape)`` or ``(K, *shape)`` back to the native grid, as above."""
    if array.ndim == 4:
        return np.stack([resample_to_native(part, grid, order, fill) for part in array])
    axes, flips, scale, offset = mapping(grid)
    extent = _shape([grid.native_shape[axis] for axis in axes])
    canonical = resample(array, 1 / scale, -offset / scale, extent, order=order, fill=fill)
    return np.ascontiguousarray(np.flip(canonical, flips).transpose(np.argsort(axes)))


def labels_to_native(probabilities: NDArray[np.float32], grid: Grid) -> NDArray[np.uint8]:
    """Return native labels (X, Y, Z) from class probabilities ``(K, *shape)``.

    Each class is resampled linearly, then the largest wins; ties and voxels outside the study's
    grid go to the lower class, so to the background.
    """
    winner, _ = largest(resample_to_native(part, grid, order=1) for part in probabilities)
    return winner


def labels_to_study(labels: NDArray[np.uint8], grid: Grid, classes: int) -> NDArray[np.uint8]:
    """Return the study's labels from native ones: each class linearly, then the largest."""
    winner, _ = largest(
        resample_to_study((labels == value).astype(np.float32), grid, 1, float(value == 0))
        for value in range(classes)
    )
    return winner


def largest(maps: Iterable[NDArray[np.float32]]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the index and the value of the largest map per voxel, holding two maps at a time."""
    maps = iter(maps)
    best = next(maps)
    winner = np.zeros(best.shape, np.uint8)
    for value, current in enumerate(maps, 1):
        wins = current > best
        winner[wins] = value
        best = np.where(wins, current, best)
    return winner, best


def mapping(
    grid: Grid,
) -> tuple[list[int], tuple[int, ...], NDArray[np.float64], NDArray[np.float64]]:
    """Return native axis and flips of each study axis; canonical index = scale * study + offset."""
    matrix = np.linalg.inv(np.asarray(grid.native_affine)) @ np.asarray(grid.affine)
    axes = [int(np.abs(matrix[:3, axis]).argmax()) for axis in range(3)]
    scale = np.array([matrix[row, axis] for axis, row in enumerate(axes)])
    offset = matrix[axes, 3]
    flips = tuple(axis for axis in range(3) if scale[axis] < 0)
    for axis in flips:
        offset[axis] = grid.native_shape[axes[axis]] - 1 - offset[axis]
    scale = np.abs(scale)
    scale[np.abs(scale - 1) < _SNAP] = 1.0
    whole = (np.abs(offset - np.round(offset)) < _SNAP) & (scale == 1)
    offset[whole] = np.round(offset[whole])
    return axes, flips, scale, offset


def resample(
    array: NDArray[Any],
    scale: NDArray[np.float64],
    offset: NDArray[np.float64],
    shape: Shape,
    *,
    order: int,
    fill: float,
) -> NDArray[Any]:
    """Return ``out[o] = array[scale * o + offset]``, and ``fill`` beyond the outermost voxels."""
    extent = np.array(array.shape)
    low = np.maximum(np.ceil((-0.5 - offset) / scale - _SNAP), 0).astype(int)
    high = np.floor((extent - 0.5 - offset) / scale + _SNAP).astype(int) + 1
    high = np.minimum(high, shape)
    exact = bool((scale == 1).all() and (offset == np.round(offset)).all())
    result = np.full(shape, fill, array.dtype if exact or order == 0 else np.float32)
    if (high <= low).any():
        return result
    inside = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    if exact:
        first = low + offset.astype(int)
        result[inside] = array[
            tuple(slice(a, a + n) for a, n in zip(first, high - low, strict=True))
        ]
        return result
    if order > 0:
        sigma = np.sqrt(np.maximum(scale**2 - 1, 0)) / 2.355
        array = np.asarray(array, np.float32)
        if sigma.any():
            array = ndimage.gaussian_filter(array, sigma, mode="nearest", truncate=TRUNCATE)
    result[inside] = ndimage.affine_transform(
        array,
        scale,
        offset + scale * low,
        output_shape=tuple(high - low),
        order=order,
        mode="nearest",
    )
    return result


def _shape(values: Any) -> Shape:
    x, y, z = (int(value) for value in values)
    return x, y, z


def _affine(values: Any) -> Affine:
    return tuple(tuple(float(value) for value in row) for row in values)
