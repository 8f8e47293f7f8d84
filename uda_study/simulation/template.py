"""The average adult head that all simulated subjects are deformed from.

The tissue maps are the ICBM 152 nonlinear symmetric 2009a template (Fonov et al., NeuroImage 54,
2011, 313-327) as shipped with nilearn. It ends at the brain's surface, so the skull and the scalp
are layers at growing distance from the brain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

STEP = 2.0
"""Voxel of the template as it is used, in mm."""

_EVEN = (196, 232, 188)
_GYRI = 16.0
_SURFACE = 22.0
_LATERAL = ((-12.0, -12.0, 22.0), (12.0, -12.0, 22.0))


@dataclass(frozen=True)
class Template:
    """Maps ``(X, Y, Z)`` in MNI space, every ``STEP`` mm from ``origin`` (RAS, mm).

    ``grey``, ``white`` and ``ventricles`` are volume fractions, ``outside`` the distance from the
    brain's smoothed surface, ``from_ventricles`` the distance from the lateral ventricles (mm).
    """

    grey: NDArray[np.float32]
    white: NDArray[np.float32]
    ventricles: NDArray[np.float32]
    outside: NDArray[np.float32]
    from_ventricles: NDArray[np.float32]
    origin: tuple[float, float, float]


@cache
def head() -> Template:
    """Return the template; read once per process."""
    grey, origin = _half(_read("gm"))
    white, _ = _half(_read("wm"))
    grey, white = grey / 255, white / 255
    brain = _half((_read("t1") > 0).astype(np.uint8))[0] > 0.5
    envelope = _close(brain)
    outside = ndimage.distance_transform_edt(~envelope, sampling=STEP).astype(np.float32)
    depth = ndimage.distance_transform_edt(envelope, sampling=STEP)
    fluid = np.clip(1 - grey - white, 0, 1) * envelope
    cavity = _ventricles((fluid > 0.4) & (depth > _SURFACE), origin)
    distance = ndimage.distance_transform_edt(~cavity, sampling=STEP).astype(np.float32)
    ventricles = (fluid * (distance <= STEP)).astype(np.float32)
    return Template(grey, white, ventricles, outside, distance, origin)


def _read(tissue: str) -> NDArray[np.uint8]:
    name = f"mni_icbm152_{tissue}_tal_nlin_sym_09a_converted.nii.gz"
    with as_file(files("nilearn") / "datasets" / "data" / name) as path:
        return np.asarray(nib.load(path).dataobj)


def _half(full: NDArray[np.uint8]) -> tuple[NDArray[np.float32], tuple[float, float, float]]:
    """Average blocks of 2x2x2 voxels of 1 mm; the template starts at (-98, -134, -72) mm."""
    x, y, z = (size // 2 for size in _EVEN)
    even = full[: _EVEN[0], : _EVEN[1], : _EVEN[2]]
    blocks = even.reshape(x, 2, y, 2, z, 2).mean(axis=(1, 3, 5), dtype=np.float32)
    return blocks, (-97.5, -133.5, -71.5)


def _close(brain: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill the sulci: grow the brain by ``_GYRI`` mm and shrink it again."""
    margin = int(_GYRI / STEP) + 4
    grown = ndimage.distance_transform_edt(~np.pad(brain, margin), sampling=STEP) <= _GYRI
    closed = ndimage.distance_transform_edt(grown, sampling=STEP) > _GYRI
    inner = (slice(margin, -margin),) * 3
    envelope: NDArray[np.bool_] = closed[inner] | brain
    return envelope


def _ventricles(
    candidates: NDArray[np.bool_], origin: tuple[float, float, float]
) -> NDArray[np.bool_]:
    """Keep the fluid that is connected with the bodies of the two lateral ventricles."""
    axes = [start + STEP * np.arange(n) for start, n in zip(origin, candidates.shape, strict=True)]
    above_cisterns = (axes[2] > -1) & (axes[2] < 34)
    candidates = candidates & above_cisterns[None, None, :] & (np.abs(axes[0]) < 42)[:, None, None]
    components, _ = ndimage.label(candidates)
    found = set()
    for place in _LATERAL:
        index = tuple(round((p - o) / STEP) for p, o in zip(place, origin, strict=True))
        found.add(int(components[index]))
    return np.isin(components, sorted(found - {0}))
