"""Computed tomography: densities in Hounsfield units, noise and the window of a radiologist."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uda_study.simulation.anatomy import Anatomy, Tissue

HOUNSFIELD: dict[Tissue, float] = {
    "air": -1000,
    "scalp": -20,
    "skull": 800,
    "csf": 8,
    "grey": 38,
    "white": 29,
    "lesion": 21,
}
"""The unenhanced head of an adult, in HU.

Brain and fluid: Bushberg et al., The Essential Physics of Medical Imaging, 2012, chapter 10, and
Kamalian et al., Handbook of Clinical Neurology 135, 2016, 3-20. The scalp is fat, skin and
muscle, the skull marrow between layers of compact bone; lesions lie between white matter and fluid.
"""

VOXEL = (0.5, 0.5, 5.0)
"""What a clinical head scan acquires, in mm."""

NOISE = 2.0
"""Standard deviation in HU."""


@dataclass(frozen=True)
class Window:
    """The densities that are told apart: ``level`` in the middle of ``width``, both in HU.

    The default is the wide brain window in which blood at the bone is looked for.
    """

    level: float = 80.0
    width: float = 200.0

    @property
    def limits(self) -> tuple[float, float]:
        """The darkest and the brightest density, in HU."""
        return self.level - self.width / 2, self.level + self.width / 2


def ct_image(anatomy: Anatomy, window: Window, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return densities ``(X, Y, Z)`` in HU, cut off at the window's limits."""
    density = anatomy.mix(HOUNSFIELD, VOXEL)
    noisy = density + NOISE * rng.standard_normal(density.shape)
    return np.clip(noisy, *window.limits).astype(np.float32)
