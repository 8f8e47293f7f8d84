"""MR"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from uda_study.simulation.anatomy import TISSUES, Anatomy, Tissue
from uda_study.simulation.fields import smooth_field


@dataclass(frozen=True)
class Relaxation:
    density: float
    t1: float
    t2: float
    t2_star: float


RELAXATION: dict[Tissue, Relaxation] = {
    "air": Relaxation(0, 1000, 100, 50),
    "scalp": Relaxation(0.6, 600, 80, 30),
    "skull": Relaxation(0.12, 365, 40, 10),
    "csf": Relaxation(1.0, 4300, 2000, 1000),
    "grey": Relaxation(0.82, 1820, 99, 66),
    "white": Relaxation(0.70, 1084, 69, 53.2),
    "lesion": Relaxation(0.80, 1700, 130, 90),
}


def inversion_recovery_spin_echo(t: Relaxation, tr: float, te: float, ti: float) -> float:
    return t.density * (1 - 2 * np.exp(-ti / t.t1) + np.exp(-tr / t.t1)) * np.exp(-te / t.t2)


def spoiled_gradient_echo(t: Relaxation, tr: float, te: float, flip: float) -> float:
    a = np.deg2rad(flip)
    e1 = np.exp(-tr / t.t1)
    return t.density * np.sin(a) * (1 - e1) / (1 - np.cos(a) * e1) * np.exp(-te / t.t2_star)


def mprage(t: Relaxation, tr: float, te: float, ti: float) -> float:
    return (
        t.density
        * (1 - 2 * np.exp(-ti / t.t1) / (1 + np.exp(-tr / t.t1)))
        * np.exp(-te / t.t2_star)
    )


def blur(image, spacing, voxel):
    sigma = [v / s / 2.355 for v, s in zip(voxel, spacing, strict=True)]
    return ndimage.gaussian_filter(image, sigma)


def mr_image(anatomy, values, voxel, bias, noise, rng):
    """quick"""
    signal = np.abs(blur(anatomy.mix(values), anatomy.grid.spacing, voxel))
    signal = signal * np.exp(smooth_field(anatomy.grid.axes, 170, bias, rng))
    s = noise * abs(values["white"])
    g = rng.standard_normal((2, *signal.shape))
    return np.hypot(signal + s * g[0], s * g[1]).astype(np.float32)
