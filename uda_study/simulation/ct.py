"""Computed tomography: densities in Hounsfield units, noise, and the radiologist's window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uda_study.simulation.anatomy import Anatomy, Tissue
from uda_study.simulation.mr import blur

HOUNSFIELD: dict[Tissue, float] = {
    "air": -1000,
    "scalp": -20,
    "skull": 800,
    "csf": 8,
    "grey": 38,
    "white": 29,
    "lesion": 21,
}
"""Unenhanced head at 120 kV."""


@dataclass(frozen=True)
class Window:
    """The range of densities that is shown: ``level`` +- ``width`` / 2, in HU."""

    level: float = 40.0
    width: float = 80.0


def ct_image(
    anatomy: Anatomy, window: Window, noise: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    density = blur(anatomy.mix(HOUNSFIELD), anatomy.grid.spacing, (1.0, 1.0, 5.0))
    grain = rng.standard_normal(density.shape)
    density = density + noise * grain
    low, high = window.level - window.width / 2, window.level + window.width / 2
    return np.clip(density, low, high).astype(np.float32)
