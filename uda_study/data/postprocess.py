"""What is done to every label map after the network: keep the largest component, fill holes.

It is done on the native grid, after the largest probability has won, and alike for whatever a
study compares. First each structure is reduced to its largest component, then holes are filled:
what the first step removes from the middle of a structure is filled by the second. Only background
changes hands, so no structure takes a voxel of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy import ndimage

from uda_study.data.grid import Grid, mapping
from uda_study.types import Task

Labels = NDArray[np.uint8]

_ALL_NEIGHBOURS = np.ones((3, 3, 3), bool)


class PostprocessSpec(BaseModel):
    """Which structures are post-processed: all (true), none (false), or the named ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    largest_component: bool | tuple[str, ...] = False
    fill_holes: bool | tuple[str, ...] = False


def postprocess(
    labels: Labels,
    spec: PostprocessSpec,
    class_names: Sequence[str],
    slice_axis: int | None = None,
) -> None:
    """Post-process class numbers (X, Y, Z) in place.

    Of each structure under ``largest_component`` the component with most voxels stays, and all
    that are as large. Voxels are connected by faces, edges and corners (26 neighbours, 8 in one
    slice), through the whole volume; connectivity and ties are those of nnU-Net v2 (Isensee et al.
    2021). Removed voxels become background.

    Of each structure under ``fill_holes`` the holes are filled: background, connected by faces,
    that the structure touches by a face and parts from the image's edge, in the volume or, with
    ``slice_axis``, in each slice across that axis. Where two structures part one hole from the
    edge, it goes to the lower class.
    """
    for k in _chosen(spec.largest_component, class_names):
        _keep_largest(labels, k)
    touching = ndimage.generate_binary_structure(3, 1)
    if slice_axis is not None:
        # Neighbours within a slice alone: slices do not see each other.
        flat = np.zeros((3, 3, 3), bool)
        flat[tuple(1 if axis == slice_axis else slice(None) for axis in range(3))] = True
        touching &= flat
    for k in _chosen(spec.fill_holes, class_names):
        _fill_holes(labels, k, touching)


def slice_axis(grid: Grid, task: Task) -> int | None:
    """Return the native axis across the slices that a 2D network sees; None for a 3D network."""
    return mapping(grid)[0][2] if task.spatial_dims == 2 else None


def count_components(labels: Labels, k: int) -> int:
    """Return how many components a class has, connected as in `postprocess`."""
    box = _box(labels == k)
    return 0 if box is None else int(ndimage.label(labels[box] == k, _ALL_NEIGHBOURS)[1])


def _chosen(wanted: bool | tuple[str, ...], class_names: Sequence[str]) -> list[int]:
    """Return the classes that are meant, in ascending order."""
    structures = range(1, len(class_names))
    if isinstance(wanted, bool):
        return list(structures) if wanted else []
    return [k for k in structures if class_names[k] in wanted]


def _keep_largest(labels: Labels, k: int) -> None:
    box = _box(labels == k)
    if box is None:
        return
    part = labels[box]
    components, count = ndimage.label(part == k, _ALL_NEIGHBOURS)
    if count > 1:
        sizes = np.bincount(components.ravel(), minlength=count + 1)
        removed = sizes < sizes[1:].max()
        removed[0] = False
        part[removed[components]] = 0


def _fill_holes(labels: Labels, k: int, touching: NDArray[np.bool_]) -> None:
    box = _box(labels == k)
    if box is None:
        return
    part = labels[box]
    inside = part == k
    enclosed = _hull(inside, touching) & (part == 0)
    if not enclosed.any():
        return
    pockets, count = ndimage.label(enclosed, touching)
    touched = np.zeros(count + 1, bool)
    touched[pockets[ndimage.binary_dilation(inside, touching)]] = True
    touched[0] = False
    part[touched[pockets]] = k


def _hull(inside: NDArray[np.bool_], touching: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a structure with all that it parts from the outside."""
    # The margin joins what is open to any side; beyond the structure's box nothing is enclosed.
    padded = np.pad(inside, 1)
    parts, count = ndimage.label(~padded, touching)
    open_parts = np.zeros(count + 1, bool)
    for axis in range(3):
        for end in (0, -1):
            open_parts[parts.take(end, axis)] = True
    open_parts[0] = False
    hull: NDArray[np.bool_] = ~open_parts[parts][1:-1, 1:-1, 1:-1]
    return hull


def _box(inside: NDArray[np.bool_]) -> tuple[slice, ...] | None:
    """Return the smallest box that holds all true voxels, None where there are none."""
    spans = []
    for axis in range(inside.ndim):
        others = tuple(other for other in range(inside.ndim) if other != axis)
        found: NDArray[Any] = np.flatnonzero(inside.any(axis=others))
        if found.size == 0:
            return None
        spans.append(slice(int(found[0]), int(found[-1]) + 1))
    return tuple(spans)
