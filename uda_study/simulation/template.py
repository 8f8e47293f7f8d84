"""The average adult head that all simulated subjects are deformed from.

The tissue maps are the ICBM 152 nonlinear symmetric template of 2009 (Fonov et al., NeuroImage
54, 2011, 313-327) as shipped with nilearn. It ends at the brain's surface, so skull and scalp are
layers at growing distance from the brain.
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

ORIGIN = (-97.5, -133.5, -71.5)
"""Centre of the first voxel in MNI space (RAS, mm); the files start at (-98, -134, -72)."""

_EVEN = (196, 232, 188)
_SULCUS = 16.0
_CORTEX = 22.0
_LATERAL = ((-12.0, -12.0, 22.0), (12.0, -12.0, 22.0))


@dataclass(frozen=True)
class Template:
    """Maps ``(X, Y, Z)`` in MNI space, every ``STEP`` mm from ``ORIGIN``.

    ``grey``, ``white`` and ``ventricles`` are volume fractions; ``outside`` is the distance from
    the brain's envelope and ``from_ventricles`` that from the lateral ventricles, both in mm.
    """

    grey: NDArray[np.float32]
    white: NDArray[np.float32]
    ventricles: NDArray[np.float32]
    outside: NDArray[np.float32]
    from_ventricles: NDArray[np.float32]


@cache
def head() -> Template:
    """Return the template, which is read once per process."""
    grey, white = _half(_read("gm")) / np.float32(255), _half(_read("wm")) / np.float32(255)
    envelope = _close(_half((_read("t1") > 0).astype(np.uint8)) > 0.5)
    depth = ndimage.distance_transform_edt(envelope, sampling=STEP)
    fluid = np.clip(1 - grey - white, 0, 1) * envelope
    lateral = _lateral_ventricles((fluid > 0.4) & (depth > _CORTEX))
    from_ventricles = ndimage.distance_transform_edt(~lateral, sampling=STEP).astype(np.float32)
    return Template(
        grey=grey,
        white=white,
        ventricles=np.where(from_ventricles <= STEP, fluid, 0).astype(np.float32),
        outside=ndimage.distance_transform_edt(~envelope, sampling=STEP).astype(np.float32),
        from_ventricles=from_ventricles,
    )


def _read(tissue: str) -> NDArray[np.uint8]:
    name = f"mni_icbm152_{tissue}_tal_nlin_sym_09a_converted.nii.gz"
    with as_file(files("nilearn") / "datasets" / "data" / name) as path:
        return np.asarray(nib.Nifti1Image.from_filename(path).dataobj, dtype=np.uint8)


def _half(full: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Average blocks of 2x2x2 voxels of 1 mm."""
    x, y, z = (size // 2 for size in _EVEN)
    even = full[: _EVEN[0], : _EVEN[1], : _EVEN[2]]
    blocks: NDArray[np.float32] = even.reshape(x, 2, y, 2, z, 2).mean((1, 3, 5), dtype=np.float32)
    return blocks


def _close(brain: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill the sulci: grow the brain and shrink it again."""
    margin = int(_SULCUS / STEP) + 4
    grown = ndimage.distance_transform_edt(~np.pad(brain, margin), sampling=STEP) <= _SULCUS
    closed = ndimage.distance_transform_edt(grown, sampling=STEP) > _SULCUS
    envelope: NDArray[np.bool_] = closed[(slice(margin, -margin),) * 3] | brain
    return envelope


def _lateral_ventricles(deep_fluid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the fluid above the cisterns that is connected with the bodies of the ventricles."""
    x, _, z = (o + STEP * np.arange(n) for o, n in zip(ORIGIN, deep_fluid.shape, strict=True))
    near = (np.abs(x) < 42)[:, None, None] & ((z > -1) & (z < 34))[None, None, :]
    components, _ = ndimage.label(deep_fluid & near)
    bodies = {
        int(components[tuple(round((p - o) / STEP) for p, o in zip(place, ORIGIN, strict=True))])
        for place in _LATERAL
    }
    lateral: NDArray[np.bool_] = np.isin(components, sorted(bodies - {0}))
    return lateral
