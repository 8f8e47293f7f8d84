"""Distances between the surfaces of a predicted and a true structure.

A surface is the set of a structure's border voxels: those with a voxel outside the structure beside
one of their faces (edges, in 2D). Beyond the image is outside. Distances are Euclidean, in mm,
between voxel centres, from every border voxel to the nearest border voxel of the other surface; all
border voxels count alike.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from uda_study.metric import Comparison
from uda_study.metrics._per_structure import volumes
from uda_study.metrics._region import Mask, extended, region

Distances = NDArray[np.float64]

# A search tree takes a time for each border voxel, a distance transform for each voxel of the box.
# benchmarks/surface_metrics.py: above this ratio of the two the tree is up to six times as fast.
TREE_ABOVE = 25


class Surfaces(NamedTuple):
    """The distances in mm from each border voxel of a structure to the other border."""

    to_truth: Distances
    to_prediction: Distances


def surfaces(comparison: Comparison, structure: int) -> Surfaces:
    """Return the distances of a structure that both prediction and truth have."""
    part = region(comparison, structure)
    predicted, true = border(part.predicted), border(part.true)
    return Surfaces(
        distances(predicted, true, part.spacing), distances(true, predicted, part.spacing)
    )


def one_sided(comparison: Comparison, structure: int) -> bool:
    """Return whether only one of prediction and truth has the structure."""
    found = volumes(comparison, structure)
    return (found.predicted == 0) != (found.true == 0)


def diagonal(comparison: Comparison) -> float:
    """Return the length of the image's diagonal in mm, which no distance in it exceeds."""
    pairs = zip(comparison.spacing, comparison.truth.shape, strict=True)
    return math.hypot(*(edge * size for edge, size in pairs if size > 1))


def voxel_edge(comparison: Comparison) -> float:
    """Return the middle one of the voxels' edges in mm, of two the longer.

    It is the edge within the slice of stacked slices, whichever axis they are stacked along.
    """
    edges = sorted(extended(comparison))
    return edges[len(edges) // 2]


def border(mask: Mask) -> Mask:
    """Return the border voxels of a mask ``(X, Y, …)``."""
    padded = np.pad(mask, 1)
    core = (slice(1, -1),) * mask.ndim
    inside = mask.copy()
    for axis in range(mask.ndim):
        for side in (slice(None, -2), slice(2, None)):
            inside &= padded[(*core[:axis], side, *core[axis + 1 :])]
    return mask & ~inside


def distances(start: Mask, end: Mask, spacing: tuple[float, ...]) -> Distances:
    """Return the distance in mm from each voxel of ``start`` to the nearest of ``end``."""
    if start.size > TREE_ABOVE * (np.count_nonzero(start) + np.count_nonzero(end)):
        return by_tree(start, end, spacing)
    return by_transform(start, end, spacing)


def by_tree(start: Mask, end: Mask, spacing: tuple[float, ...]) -> Distances:
    """Compute `distances` by looking up each voxel of ``start`` in a tree of those of ``end``."""
    tree = KDTree(np.argwhere(end) * spacing, balanced_tree=False, compact_nodes=False)
    found: Distances = tree.query(np.argwhere(start) * spacing)[0]
    return found


def by_transform(start: Mask, end: Mask, spacing: tuple[float, ...]) -> Distances:
    """Compute `distances` by finding the voxel of ``end`` that is nearest to every voxel."""
    nearest = ndimage.distance_transform_edt(
        ~end, sampling=spacing, return_distances=False, return_indices=True
    )
    # Distances are taken at the voxels of `start` alone: of all voxels that costs as much again.
    here = np.argwhere(start).T
    apart = (nearest[(slice(None), *here)] - here) * np.array(spacing)[:, None]
    found: Distances = np.sqrt(np.square(apart).sum(axis=0))
    return found
