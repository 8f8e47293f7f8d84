"""Arrays as NIfTI files whose bytes depend on nothing but the voxels and the grid."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from uda_study.simulation.anatomy import Grid


def write_nifti(path: Path, voxels: NDArray[np.float32] | NDArray[np.uint8], grid: Grid) -> None:
    """Write ``(X, Y, Z)`` to a ``.nii.gz`` file, RAS in mm.

    Floats are rounded to whole units of 16 bits. No time and no text goes into the file.
    """
    stored = voxels if voxels.dtype == np.uint8 else np.rint(voxels).astype(np.int16)
    image = nib.Nifti1Image(stored, grid.affine)
    image.set_sform(grid.affine, code="scanner")
    image.set_qform(grid.affine, code="scanner")
    image.header.set_xyzt_units("mm")
    path.write_bytes(gzip.compress(image.to_bytes(), compresslevel=6, mtime=0))
