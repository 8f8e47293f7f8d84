"""Magnetic resonance: signal equations, tissue at 3 T, and the scanners of a published study.

Signals are signed and mixed by volume before the magnitude is taken, as in the scanner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from uda_study.simulation.anatomy import Anatomy, Field, Grid, Tissue
from uda_study.simulation.fields import smooth_field


@dataclass(frozen=True)
class Relaxation:
    """Proton density relative to water and the relaxation times of a tissue in ms."""

    density: float
    t1: float
    t2: float
    t2_star: float


RELAXATION: dict[Tissue, Relaxation] = {
    "air": Relaxation(0.0, 1000, 100, 50),
    "scalp": Relaxation(0.60, 600, 80, 30),
    "skull": Relaxation(0.12, 365, 40, 10),
    "csf": Relaxation(1.00, 4300, 2000, 1000),
    "grey": Relaxation(0.82, 1820, 99, 66),
    "white": Relaxation(0.70, 1084, 69, 53),
    "lesion": Relaxation(0.85, 1600, 150, 90),
}
"""Tissue at 3 T.

T1 and T2 of grey and white matter: Stanisz et al., MRM 54, 2005, 507-512; T2* of both: Peters et
al., MRI 25, 2007, 748-753; densities: Tofts, Quantitative MRI of the Brain, 2003; T1 of
cerebrospinal fluid: Rooney et al., MRM 57, 2007, 308-318; its T2: Spijkerman et al., MAGMA 31,
2018, 415-424; T1 of marrow fat: Gold et al., AJR 183, 2004, 343-351. Scalp (fat, skin, muscle),
skull (marrow between layers of compact bone, which give no signal) and lesions (between grey
matter and fluid) are mixtures that were chosen.
"""


class Sequence(Protocol):
    """A pulse sequence; times in ms, angles in degrees."""

    def signal(self, tissue: Relaxation) -> float:
        """Return the signed signal of the tissue, relative to water at full magnetisation."""


@dataclass(frozen=True)
class InversionRecoverySpinEcho:
    """FLAIR, with an inversion time at which the signal of fluid crosses zero.

    ``PD (1 - 2 exp(-TI/T1) + exp(-TR/T1)) exp(-TE/T2)``, for TE much shorter than TR; Bernstein,
    King and Zhou, Handbook of MRI Pulse Sequences, 2004, section 14.2. Trains of small refocusing
    angles mix T1 decay into the echoes, so that their contrast is that of a shorter echo time,
    ``te_share`` of TE (Busse et al., MRM 55, 2006, 1030-1037).
    """

    tr: float
    te: float
    ti: float
    te_share: float = 1.0

    def signal(self, tissue: Relaxation) -> float:
        """Return the signed signal of the tissue."""
        recovered = 1 - 2 * np.exp(-self.ti / tissue.t1) + np.exp(-self.tr / tissue.t1)
        return float(tissue.density * recovered * np.exp(-self.te * self.te_share / tissue.t2))


@dataclass(frozen=True)
class SpoiledGradientEcho:
    """T1-weighted steady state of small flip angles.

    ``PD sin a (1 - E1) / (1 - cos a E1) exp(-TE/T2*)`` with ``E1 = exp(-TR/T1)``; the same book,
    section 14.1.
    """

    tr: float
    te: float
    flip: float

    def signal(self, tissue: Relaxation) -> float:
        """Return the signal of the tissue."""
        angle, decay = np.deg2rad(self.flip), np.exp(-self.tr / tissue.t1)
        steady = np.sin(angle) * (1 - decay) / (1 - np.cos(angle) * decay)
        return float(tissue.density * steady * np.exp(-self.te / tissue.t2_star))


@dataclass(frozen=True)
class PreparedGradientEcho:
    """MPRAGE: an inversion before a train of echoes (Mugler and Brookeman, MRM 15, 1990, 152-157).

    ``PD (1 - 2 exp(-TI/T1) / (1 + exp(-TR/T1))) exp(-TE/T2*)``: the recovery is taken as
    undisturbed by the small flip angles.
    """

    tr: float
    te: float
    ti: float

    def signal(self, tissue: Relaxation) -> float:
        """Return the signed signal of the tissue."""
        recovered = 1 - 2 * np.exp(-self.ti / tissue.t1) / (1 + np.exp(-self.tr / tissue.t1))
        return float(tissue.density * recovered * np.exp(-self.te / tissue.t2_star))


Contrast = Literal["t1", "flair"]


@dataclass(frozen=True)
class Series:
    """One series of a scanner: the sequence and the voxel it acquires, in mm."""

    sequence: Sequence
    voxel: tuple[float, float, float]


@dataclass(frozen=True)
class Scanner:
    """A scanner's series and imperfections.

    ``bias`` is the standard deviation of the logarithm of its shading, ``noise`` that of each of
    two channels relative to white matter.
    """

    t1: Series
    flair: Series
    bias: float
    noise: float

    def series(self, contrast: Contrast) -> Series:
        """Return the series of that contrast."""
        return self.t1 if contrast == "t1" else self.flair


SCANNERS: dict[str, Scanner] = {
    "utrecht": Scanner(
        Series(SpoiledGradientEcho(7.9, 4.5, 20), (1.0, 1.0, 1.0)),
        Series(InversionRecoverySpinEcho(11000, 125, 2800), (0.96, 0.95, 3.0)),
        bias=0.06,
        noise=0.03,
    ),
    "singapore": Scanner(
        Series(PreparedGradientEcho(2300, 1.9, 900), (1.0, 1.0, 1.0)),
        Series(InversionRecoverySpinEcho(9000, 82, 2500), (1.0, 1.0, 3.0)),
        bias=0.10,
        noise=0.03,
    ),
    "amsterdam": Scanner(
        Series(SpoiledGradientEcho(9.9, 4.6, 15), (0.87, 0.87, 1.0)),
        Series(InversionRecoverySpinEcho(4800, 279, 1650, te_share=0.36), (1.04, 1.04, 0.56)),
        bias=0.08,
        noise=0.04,
    ),
}
"""The scanners of the WMH challenge (Kuijf et al., IEEE TMI 38, 2019, 2556-2568).

TR, TE, TI and voxels as published; flip angles, shading, noise and the share of the long echo
time of Amsterdam's three-dimensional train are not, and were chosen.
"""


def mr_image(
    anatomy: Anatomy, scanner: Scanner, contrast: Contrast, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return a magnitude image ``(X, Y, Z)`` in arbitrary units, white matter near 1000.

    The shading is smooth and multiplicative; the noise is that of the magnitude of two channels
    (Gudbjartsson and Patz, MRM 34, 1995, 910-914).
    """
    series = scanner.series(contrast)
    signal = signals(series)
    mixed = anatomy.mix(signal, series.voxel) / abs(signal["white"])
    return acquire(mixed, anatomy.grid, scanner, rng)


def signals(series: Series) -> dict[Tissue, float]:
    """Return the signed signal of every tissue in a series."""
    return {tissue: series.sequence.signal(values) for tissue, values in RELAXATION.items()}


def acquire(
    mixed: Field, grid: Grid, scanner: Scanner, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return the magnitude image of signals ``(X, Y, Z)``, 1 becoming 1000 up to the gain."""
    shading = np.exp(smooth_field(grid.axes, 170, scanner.bias, rng))
    shaded = mixed * shading
    real, imaginary = scanner.noise * rng.standard_normal((2, *shaded.shape))
    gain = 1000 * np.exp(rng.normal(0, 0.1))
    magnitude: NDArray[np.float32] = gain * np.hypot(shaded + real, imaginary)
    return magnitude.astype(np.float32)
