"""Read the raw radiographs of the JSRT database (.IMG): pixels and nothing else.

2048 x 2048 unsigned numbers of two bytes, the higher first, 12 bits used, 0.175 mm a pixel. A
number is the optical density of the film, so air is high; it is turned round here, as radiographs
are shown and as other chest X-rays are stored, with air dark (Shiraishi et al., AJR 174, 2000).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uda_study.data.limits import unreadable
from uda_study.errors import InputError

_SIDE = 2048
_SPACING = 0.175
_WHITE = (1 << 12) - 1
# Numbers whose bytes are exchanged go far beyond this, those of a scanner stay near 12 bits.
_LIMIT = 1 << 13


def decode_raw_xray(path: Path, where: str) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return 4095 minus the pixels (X, Y, 1), axes as those of a PNG, and the affine in mm.

    Raises `InputError` unless the file has the size of such a radiograph and its byte order.
    """
    expected = _SIDE * _SIDE * 2
    try:
        found = path.stat().st_size
        if found != expected:
            raise InputError.of(
                where,
                f"not a raw JSRT radiograph of {_SIDE} x {_SIDE}, need {expected} bytes",
                found,
                "copy it again, or convert other .img files to NIfTI",
            )
        pixels = np.fromfile(path, ">u2")
    except OSError as error:
        raise unreadable(where, error) from error
    if pixels.size != _SIDE * _SIDE or pixels.max() >= _LIMIT:
        raise InputError.of(
            where,
            "pixels must have 12 bits, the higher byte first",
            int(pixels.max(initial=0)),
            "copy the original file",
        )
    array = _WHITE - pixels.astype(np.int32).reshape(_SIDE, _SIDE).T[:, :, np.newaxis]
    return array, np.diag([-_SPACING, -_SPACING, 1.0, 1.0])
