"""Read a GIF that is a mask: one picture of black and white or of grey values."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from uda_study.data.limits import refuse_pixels
from uda_study.errors import InputError

_SIGNATURES = (b"GIF87a", b"GIF89a")


def decode_gif(path: Path, where: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the grey values on the grid ``shape`` of an image (W, H, 1), axes as those of a PNG.

    A value is the grey of its palette entry. A mask whose sides divide the image's by the same
    whole number is repeated to the image's grid; any other keeps its own shape. Raises `InputError`
    for colours, animations, damage and more than 50 megapixels.
    """
    try:
        _refuse_claims(path, where)
        with PillowImage.open(path, formats=["GIF"]) as picture:
            refuse_pixels(where, *picture.size)  # a frame may be larger than the file's screen
            if getattr(picture, "is_animated", False):
                raise InputError.of(where, "one picture is needed", None, "keep one frame")
            colours = np.asarray(picture.convert("RGB"))
    except (PillowImage.DecompressionBombError, PillowImage.DecompressionBombWarning) as error:
        raise InputError.of(where, "a frame is too large", None, "shrink or crop it") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error) as error:
        raise InputError.of(
            where, "the GIF is truncated or damaged", str(error), "copy it again"
        ) from error
    pixels = colours[:, :, 0]
    if (colours != pixels[:, :, np.newaxis]).any():
        raise InputError.of(where, "a mask must be grey", "colours", "convert it to greyscale")
    values = pixels.T[:, :, np.newaxis]
    factor = shape[0] // values.shape[0]
    if factor > 1 and shape == (factor * values.shape[0], factor * values.shape[1], 1):
        return values.repeat(factor, axis=0).repeat(factor, axis=1)
    return values


def _refuse_claims(path: Path, where: str) -> None:
    """Judge signature and size from the file's first bytes, before Pillow sees it."""
    with path.open("rb") as stream:
        start = stream.read(10)
    if not start.startswith(_SIGNATURES):
        raise InputError.of(
            where, "not a GIF file", repr(start[:6]), "give it the suffix of its format"
        )
    width, height = struct.unpack("<HH", start[6:10])
    refuse_pixels(where, width, height)
