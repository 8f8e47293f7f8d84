"""Read greyscale PNG files as volumes of one slice.

Axis convention: voxel ``(x, y, 0)`` is column x from the left and row y from the top, so that
``array[:, :, 0].T`` written as a PNG is the file's picture again. A PNG has no orientation; it is
taken for a slice in radiological view, x towards the patient's left and y towards the back, with
1 mm: then every figure shows it the way that the file does.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from uda_study.data.limits import refuse_pixels
from uda_study.errors import InputError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_IMAGE_MODES = ("L", "I;16", "I", "1")
_LABEL_MODES = ("L", "P", "1")


def decode_png(path: Path, where: str, label: bool) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the pixels (W, H, 1) and an affine of 1 mm, see above.

    Images have 8 or 16 bits of grey; labels 8 bits or a palette whose indices are the values.
    Raises `InputError` for colours, transparency, animations, damage and more than 50 megapixels.
    """
    try:
        width, height = _claimed_size(path, where)
        refuse_pixels(where, width, height)
        with PillowImage.open(path, formats=["PNG"]) as checked:
            checked.verify()  # the checksum of every chunk; the file must be opened again after it
        with PillowImage.open(path, formats=["PNG"]) as picture:
            _refuse_mode(picture, where, label)
            pixels = np.asarray(picture)
    except (
        OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error,
        IndexError,  # from Pillow, for a file without pixels
    ) as error:  # fmt: skip
        raise InputError.of(
            where, "the PNG is truncated or damaged", str(error), "copy it again"
        ) from error
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    return pixels.T[:, :, np.newaxis], np.diag([-1.0, -1.0, 1.0, 1.0])


def _claimed_size(path: Path, where: str) -> tuple[int, int]:
    """Read width and height from the first chunk, before Pillow sees the file."""
    with path.open("rb") as stream:
        start = stream.read(24)
    if not start.startswith(_SIGNATURE):
        raise InputError.of(
            where, "not a PNG file", repr(start[:8]), "give it the suffix of its format"
        )
    width, height = struct.unpack(">II", start[16:24])
    return width, height


def _refuse_mode(picture: PillowImage.Image, where: str, label: bool) -> None:
    modes = _LABEL_MODES if label else _IMAGE_MODES
    if picture.mode not in modes:
        rule = "a label needs 8 bits of grey" if label else "one channel of grey is needed"
        raise InputError.of(where, rule, f"mode {picture.mode}", "convert it to greyscale")
    frames = getattr(picture, "n_frames", 1)
    if frames != 1:
        raise InputError.of(where, "one picture is needed", f"{frames} frames", "keep one frame")
