"""Smooth random functions of space, made of a few cosines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Axes = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""The RAS coordinates in mm of a grid's columns, rows and slices."""

EXTENT = 260.0
"""Half a period of the lowest cosine, in mm; larger than a head, so that nothing repeats."""


def smooth_field(
    axes: Axes, wavelength: float, amplitude: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw a band-limited field ``(X, Y, Z)`` with zero mean and standard deviation ``amplitude``.

    It holds no cosine shorter than ``wavelength`` (mm). The draw depends on places in mm alone:
    two grids over the same head see the same field.
    """
    order = int(2 * EXTENT / wavelength)
    frequency = np.arange(order + 1)
    squared = sum(
        (frequency**2).reshape([-1 if axis == other else 1 for other in range(3)])
        for axis in range(3)
    )
    kept = (squared > 0) & (squared <= order**2)
    coefficients = rng.standard_normal(kept.shape) * kept
    # A cosine of random phase has variance 1/2 per axis on which it varies.
    power = kept * 0.5 ** sum(
        (frequency > 0).reshape([-1 if axis == other else 1 for other in range(3)])
        for axis in range(3)
    )
    coefficients *= amplitude / np.sqrt(power.sum())
    phase = rng.uniform(0, np.pi, (3, order + 1))
    waves = []
    for place, shift in zip(axes, phase, strict=True):
        turns = np.outer(place / EXTENT * np.pi, frequency) + shift * (frequency > 0)
        waves.append(np.cos(turns).astype(np.float32))
    field: NDArray[np.float32] = np.einsum(
        "abc,xa,yb,zc->xyz", coefficients.astype(np.float32), *waves, optimize=True
    )
    return field
