"""Read a folder of PNG label slices that belongs to an image made of a folder of slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uda_study.data.limits import members
from uda_study.data.png import decode_png
from uda_study.errors import InputError


def decode_png_stack(
    folder: Path, where: str, shape: tuple[int, ...], file_order: tuple[int, ...] | None
) -> NDArray[Any]:
    """Return the values (X, Y, Z) on the grid ``shape`` of the image.

    A PNG knows no position: the n-th by name belongs to the image's n-th file by name, and
    ``file_order`` says which file lies at which Z. Raises `InputError` unless there is one sound
    PNG of the image's width and height for each of its slices.
    """
    if file_order is None:
        raise InputError.of(
            where,
            "label slices need an image that is a folder of slices as well",
            None,
            "convert the label to the format of its image",
        )
    files = members(folder, where, (".png",))
    if len(files) != len(file_order):
        raise InputError.of(
            where,
            f"must have one PNG for each of the {len(file_order)} slices of the image",
            f"{len(files)}",
            "copy the whole folder",
        )
    values = np.empty(shape, np.uint8)
    for z, number in enumerate(file_order):
        place = f"{where}, file {number + 1} of {len(files)}"
        pixels, _ = decode_png(files[number], place, label=True)
        if pixels.shape[:2] != shape[:2]:
            raise InputError.of(
                place,
                f"must have the size of the image, {shape[0]} x {shape[1]}",
                f"{pixels.shape[0]} x {pixels.shape[1]}",
                "resample it to the image",
            )
        values[:, :, z] = pixels[:, :, 0]
    return values
