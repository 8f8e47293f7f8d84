"""What a file may claim before anything of it is read, shared by all image formats."""

from __future__ import annotations

import re
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
    """Raise `InputError` unless ``path`` is a file that holds something, or a folder of files."""
    try:
        size = path.stat().st_size if path.is_file() else None
        if path.is_dir() and files_below(path):
            return
    except OSError as error:
        raise unreadable(where, error) from error
    if size is None:
        raise InputError.of(where, "no such file", path.name, "correct the path")
    if size == 0:
        raise InputError.of(where, "the file is empty", path.name, "copy it again")


def files_below(folder: Path) -> list[Path]:
    """Return the files in a folder that are not hidden, by name, numbers in names by value."""
    files = [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()]
    return sorted(files, key=lambda path: (_natural(path.name), path.name))


def members(folder: Path, where: str, suffixes: Sequence[str]) -> list[Path]:
    """Return the slices in a folder: the files with a suffix where any has one, else all.

    Raises `InputError` where there is none, or where one is a link out of the folder.
    """
    try:
        files = files_below(folder)
        named = [path for path in files if path.suffix.lower() in suffixes] or files
        home = folder.resolve()
        links = [path for path in named if path.resolve().parent != home]
    except (OSError, RuntimeError) as error:  # a loop of links
        reason = error if isinstance(error, OSError) else OSError(0, "a loop of links")
        raise unreadable(where, reason) from error
    if not named:
        raise InputError.of(where, "the folder holds no slice", None, "correct the path")
    if links:
        raise InputError.of(
            where, "slices must lie in their folder", f"{len(links)} links", "copy the files there"
        )
    return named


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


def refuse_pixels(where: str, width: int, height: int) -> None:
    """Raise `InputError` when the sides of a picture are impossible or too large."""
    refuse_size(where, (width, height), 4)
    if width * height > MAX_PIXELS:
        raise InputError.of(
            where,
            f"too large, limit is {MAX_PIXELS // 10**6} megapixels",
            f"{width} x {height}",
            "shrink or crop it",
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


def _natural(name: str) -> list[str | int]:
    """Split a name so that ``2.dcm`` comes before ``10.dcm``; text and numbers take turns."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
