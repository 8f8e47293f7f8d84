"""A scanner that does not exist: dark is bright, and tissue has a texture.

No published sequence gives this contrast. What adapts to it has to learn that every brightness of
the source means something else, while the head keeps its shape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from uda_study.simulation.anatomy import TISSUES, Anatomy, Tissue
from uda_study.simulation.fields import smooth_field
from uda_study.simulation.mr import Contrast, Scanner, acquire, signals

GRAIN = 16.0
"""The shortest wave of the texture, in mm."""

TEXTURE = 0.05
"""Standard deviation of the texture, as a share of the range of the tissues."""


def inverted_image(
    anatomy: Anatomy, scanner: Scanner, contrast: Contrast, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return the magnitude image ``(X, Y, Z)`` of a scanner that sees the tissues inverted.

    The brightest tissue of the scanner's series becomes as bright as the darkest was and the other
    way round; air stays dark and without texture.
    """
    series = scanner.series(contrast)
    signal = {tissue: abs(value) for tissue, value in signals(series).items()}
    unit = signal["white"]
    inside = [value for tissue, value in signal.items() if tissue != "air"]
    low, high = min(inside), max(inside)
    mirrored: dict[Tissue, float] = {t: low + high - v for t, v in signal.items()}
    mirrored["air"] = 0.0
    texture = smooth_field(anatomy.grid.axes, GRAIN, TEXTURE * (high - low), rng)
    head = 1 - anatomy.fractions[TISSUES.index("air")]
    mixed = (anatomy.mix(mirrored, series.voxel) + texture * head) / np.float32(unit)
    return acquire(mixed, anatomy.grid, scanner, rng)
