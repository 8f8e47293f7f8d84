"""What a file may claim before anything of it is read, shared by all image formats."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path

from uda_study.errors import InputError

MAX_IMAGE_GIB = 4
"""The largest image that is read, as float32 or in its own type, whichever is larger."""

MAX_PIXELS = 50_000_000
"""The largest two-dimensional image that is read."""

CHUNK = 1 << 24


def existing_file(path: Path, where: str) -> None:
    """Raise `InputError` unless ``path`` is a file that holds something."""
    try:
        size = path.stat().st_size if path.is_file() else None
    except OSError as error:
        raise unreadable(where, error) from error
    if size is None:
        raise InputError.of(where, "no such file", path.name, "correct the path")
    if size == 0:
        raise InputError.of(where, "the file is empty", path.name, "copy it again")


def unreadable(where: str, error: OSError) -> InputError:
    """Return the error of a file that the operating system refuses to read."""
    return InputError.of(where, "cannot be read", error.strerror, "check the file's permissions")


def refuse_size(where: str, shape: Sequence[int], itemsize: int) -> None:
    """Raise `InputError` when a header's dimensions are impossible or too large."""
    if any(count < 1 for count in shape):
        text = " x ".join(str(count) for count in shape)
        raise InputError.of(where, "every dimension must be at least 1", text, "convert it again")
    claimed = prod(int(count) for count in shape) * max(itemsize, 4)
    if claimed > MAX_IMAGE_GIB << 30:
        raise InputError.of(
            where,
            f"the header claims too much, limit is {MAX_IMAGE_GIB} GiB",
            show_bytes(claimed),
            "crop the image or repair its header",
        )


def truncated(where: str, expected: int, found: int) -> InputError:
    """Return the error of a file that ends too early."""
    return InputError.of(
        where, "the file is truncated", f"{found} of {expected} data bytes", "copy it again"
    )


def show_bytes(count: float) -> str:
    """Write a number of bytes for people.

    >>> show_bytes(3 << 30)
    '3 GiB'
    """
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024
    return f"{count:.4g} TiB"
