"""Read one image or label file and refuse everything that is not sound.

Every failure is an `InputError` whose ``where`` starts with the case's alias; nothing is repaired.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from uda_study.data.dicom import decode_dicom
from uda_study.data.gif import decode_gif
from uda_study.data.limits import existing_file
from uda_study.data.metaimage import decode_metaimage
from uda_study.data.nifti import decode_nifti
from uda_study.data.png import decode_png
from uda_study.data.png_stack import decode_png_stack
from uda_study.data.raw_xray import decode_raw_xray
from uda_study.errors import InputError

FORMATS = (".nii", ".nii.gz", ".png", ".mha", ".mhd")

# In voxels, at the farthest corner. Half a voxel would move labels; float32 headers and sforms
# rounded to four decimals err by some hundredths over 500 voxels.
SPACE_TOLERANCE = 0.1
_WHOLE_TOLERANCE = 1e-3
_MAX_LABEL = 65535


@dataclass(frozen=True, eq=False)
class Image:
    """One scalar volume (X, Y, Z) on its native grid, float32; the affine maps to RAS mm.

    ``file_order`` is there for a folder of slices: which of its files, by name, lies at each Z.
    """

    array: NDArray[np.float32]
    affine: NDArray[np.float64]
    file_order: tuple[int, ...] | None = None


# Overflow gives infinity, which the checks find; NumPy's warnings would only come before them.
@np.errstate(over="ignore", invalid="ignore")
def read_image(path: Path, alias: str, nonfinite: Literal["error", "zero"] = "error") -> Image:
    """Return the volume of a file in one of the `FORMATS`, of a raw JSRT film or a DICOM folder.

    ``nonfinite: zero`` sets NaN and infinite voxels to 0. Raises `InputError` for files that are
    missing, damaged, too large, not one scalar volume, constant or without a sound orientation.
    """
    where = f"{alias} image"
    existing_file(path, where)
    order = None
    if path.is_dir():
        raw, stack = decode_dicom(path, where)
        affine, order = stack.affine, stack.file_order
        _check_affine(where, affine)
    else:
        raw, affine = _decode_file(path, where, label=False)
    array = raw.astype(np.float32)
    bad = ~np.isfinite(array)
    if bad.any():
        if nonfinite == "error":
            raise InputError.of(
                where,
                "voxels must be finite",
                f"{int(bad.sum())} non-finite voxels",
                "set nonfinite: zero to allow them",
            )
        array[bad] = 0
    if array.min() == array.max():
        raise InputError.of(
            where, "the image is constant", float(array.min()), "leave the case out"
        )
    return Image(array, affine, order)


@np.errstate(over="ignore", invalid="ignore")
def read_label(
    path: Path, alias: str, image: Image, what: Literal["label", "mask"] = "label"
) -> NDArray[np.int32]:
    """Return the label or mask values (X, Y, Z) of an image.

    A folder of PNG slices and a GIF have no geometry, they take the image's.
    Raises `InputError` unless the values are whole numbers (within 0.001) of 0 to 65535 on the
    image's grid (corners within `SPACE_TOLERANCE` of a voxel).
    """
    where = f"{alias} {what}"
    existing_file(path, where)
    affine = image.affine
    if path.is_dir():
        values = decode_png_stack(path, where, image.array.shape, image.file_order)
    elif path.name.lower().endswith(".gif"):
        values = decode_gif(path, where, image.array.shape)
    else:
        values, affine = _decode_file(path, where, label=True)
    check_same_space(where, values.shape, affine, image)
    if values.dtype.kind == "f":
        whole = np.round(values)
        wrong = ~(np.abs(values - whole) <= _WHOLE_TOLERANCE)
        if wrong.any():
            raise InputError.of(
                where,
                "labels must be whole numbers",
                f"{values[wrong].flat[0]} and {int(wrong.sum()) - 1} more voxels",
                "resample labels to the nearest neighbour",
            )
        values = whole
    low, high = values.min(), values.max()
    if low < 0 or high > _MAX_LABEL:
        raise InputError.of(
            where,
            f"labels must lie in 0..{_MAX_LABEL}",
            f"{int(low if low < 0 else high)}",
            "renumber the labels",
        )
    return values.astype(np.int32)


def check_same_space(
    where: str, shape: tuple[int, ...], affine: NDArray[np.float64], image: Image
) -> None:
    """Raise `InputError` unless shape and affine lie on the grid of ``image``."""
    if shape != image.array.shape:
        raise InputError.of(
            where,
            f"must have the shape of the image, {_times(image.array.shape)}",
            _times(shape),
            "resample it to the image",
        )
    corners = np.array(np.meshgrid(*[(0, count - 1) for count in shape])).reshape(3, -1)
    corners = np.vstack([corners, np.ones(corners.shape[1])])
    apart = (affine - image.affine) @ corners
    voxels_apart = np.abs(np.linalg.inv(image.affine)[:3, :3] @ apart[:3]).max()
    if not voxels_apart <= SPACE_TOLERANCE:
        origin = float(np.linalg.norm(affine[:3, 3] - image.affine[:3, 3]))
        farthest = float(np.linalg.norm(apart[:3], axis=0).max())
        raise InputError.of(
            where,
            f"must lie in the space of the image (within {SPACE_TOLERANCE} voxel)",
            f"origin differs by {origin:.3g} mm, the farthest corner by {farthest:.3g} mm",
            "resample it to the image",
        )


def _decode_file(path: Path, where: str, label: bool) -> tuple[NDArray[Any], NDArray[np.float64]]:
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        array, affine = decode_nifti(path, where)
    elif name.endswith(".png"):
        array, affine = decode_png(path, where, label)
    elif name.endswith((".mha", ".mhd")):
        array, affine = decode_metaimage(path, where)
    elif name.endswith(".img") and not label:
        array, affine = decode_raw_xray(path, where)
    else:
        raise InputError.of(
            where, "unknown image format", path.name, f"convert it to one of {', '.join(FORMATS)}"
        )
    _check_affine(where, affine)
    return array, affine


def _check_affine(where: str, affine: NDArray[np.float64]) -> None:
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    sound = bool(np.isfinite([*affine.ravel(), *edges]).all() and (edges > 0).all())
    if not sound or not abs(np.linalg.det(affine[:3, :3] / edges)) > 1e-3:
        raise InputError.of(
            where,
            "the affine must be finite and invertible",
            np.array2string(affine[:3], precision=3, separator=",").replace("\n", ""),
            "repair the header's orientation",
        )


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(str(count) for count in shape)
