"""Room on disk: looked for before a study starts, and a full disk told from other errors."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from uda_study.errors import InputError, StoreError

FLOOR_BYTES = 256 * 2**20
"""With less than this a study would end before its first model is written."""
FULL = "no space is left on the disk; free some, then go on with `uda-study resume`"
_NUMBERS = (errno.ENOSPC, errno.EDQUOT)
# Libraries that write files themselves, such as safetensors and SQLite, say it in words alone.
_WORDS = ("no space left on device", "disk quota exceeded", "database or disk is full")
_MIB = 2**20


def require_space(folder: Path, needed: int | None = None) -> None:
    """Raise `InputError` if fewer bytes than ``needed`` are free where the folder is, or will be.

    Without ``needed``: `FLOOR_BYTES`.
    """
    least = FLOOR_BYTES if needed is None else needed
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < least:
        raise InputError.of(
            "home",
            f"needs {least / _MIB:.0f} MiB of free space",
            f"{free / _MIB:.0f} MiB on the disk of {folder}",
            "free some, or choose another place with --home or UDA_STUDY_HOME",
        )


def is_full(error: BaseException) -> bool:
    """Tell whether the error, or one that it follows, says that a disk or a quota is full.

    torch.save raises another error while it closes a file that a full disk has refused.
    """
    seen: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in seen:
        seen.append(one)
        one = one.__cause__ or one.__context__
    return any(_says_full(one) for one in seen)


def _says_full(error: BaseException) -> bool:
    numbered = isinstance(error, OSError) and error.errno in _NUMBERS
    text = str(error).lower()
    return numbered or any(words in text for words in _WORDS)


def full_disk(error: BaseException, study: Path) -> StoreError:
    """Return what to tell people about a full disk: where, what to do, and that nothing is lost."""
    place = getattr(error, "filename", None) or study
    return StoreError(
        f"{place}: no space is left on the disk; what was finished is kept. Free some, then go on "
        f"with: uda-study resume {study.name}"
    )
