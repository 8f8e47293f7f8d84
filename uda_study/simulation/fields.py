"""Smooth random functions of space, made of cosines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Axes = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""The RAS coordinates in mm of a grid's voxels along each of its axes."""

HALF_PERIOD = 260.0
"""Half a period of the longest cosine, in mm: longer than a head, so that nothing repeats."""


def along(axis: int) -> tuple[int, int, int]:
    """Return the shape that lays a vector along one of three axes."""
    x, y, z = (-1 if axis == other else 1 for other in range(3))
    return x, y, z


def smooth_field(
    axes: Axes, wavelength: float, amplitude: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw a band-limited field ``(X, Y, Z)`` of zero mean and standard deviation ``amplitude``.

    It holds no cosine shorter than ``wavelength`` (mm). The field depends on places in mm alone,
    so two grids over the same head see the same field. Cosines are separable: a field costs three
    small matrix products.
    """
    highest = int(2 * HALF_PERIOD / wavelength)
    order = np.arange(highest + 1)
    x, y, z = (order.reshape(along(axis)) for axis in range(3))
    length = np.sqrt(x**2 + y**2 + z**2)
    varying = np.sign(x) + np.sign(y) + np.sign(z)
    kept = (length > 0) & (length <= highest)
    # A cosine of random phase has variance 1/2 along each axis on which it varies.
    power = np.sum(kept * 0.5**varying)
    coefficients = rng.standard_normal(kept.shape) * kept * (amplitude / np.sqrt(power))
    phases = rng.uniform(0, 2 * np.pi, (3, highest + 1)) * (order > 0)
    waves = [
        np.cos(np.outer(place * (np.pi / HALF_PERIOD), order) + phase).astype(np.float32)
        for place, phase in zip(axes, phases, strict=True)
    ]
    field: NDArray[np.float32] = np.einsum(
        "abc,xa,yb,zc->xyz", coefficients.astype(np.float32), *waves, optimize=True
    )
    return field
