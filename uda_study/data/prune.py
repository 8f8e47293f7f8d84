"""Keep the cache of prepared images within bounds: what was not used for longest goes first.

Nothing is lost by it: what a study needs again is prepared again from the files.
"""

from __future__ import annotations

import fcntl
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from uda_study.errors import InputError, StoreError

_TREES = ("images", "labels")
_LOCK = ".in-use"
# A folder that begins with a dot is being written, or was when its process died.
_ABANDONED_SECONDS = 86_400


@dataclass(frozen=True)
class Entry:
    """A folder of the cache: its bytes on disk and when it was last used, in seconds since 1970."""

    folder: Path
    bytes: int
    used: float


@dataclass(frozen=True)
class Pruning:
    """What stays and what goes."""

    kept: tuple[Entry, ...]
    freed: tuple[Entry, ...]

    @property
    def bytes_kept(self) -> int:
        """How much stays on disk."""
        return sum(entry.bytes for entry in self.kept)

    @property
    def bytes_freed(self) -> int:
        """How much is freed."""
        return sum(entry.bytes for entry in self.freed)


def plan_pruning(
    cache: Path, keep: int | None = None, older_than: float | None = None, now: float | None = None
) -> Pruning:
    """Return what would be removed to have at most ``keep`` bytes, none unused for longer.

    ``older_than`` is in seconds. What a process that died left half-written always goes.
    """
    now = time.time() if now is None else now
    kept: list[Entry] = []
    freed: list[Entry] = []
    total = 0
    for entry in sorted(_entries(cache), key=lambda entry: entry.used, reverse=True):
        age = now - entry.used
        if entry.folder.name.startswith("."):
            (freed if age > _ABANDONED_SECONDS else kept).append(entry)
            continue
        total += entry.bytes
        full = keep is not None and total > keep
        old = older_than is not None and age > older_than
        (freed if full or old else kept).append(entry)
    return Pruning(tuple(kept), tuple(freed))


def remove(cache: Path, pruning: Pruning) -> None:
    """Remove what is to go; `InputError` while a study uses the cache, `StoreError` of the disk."""
    if not pruning.freed:
        return
    with unused(cache):
        try:
            for entry in pruning.freed:
                # Out of sight first: what is found under its name is whole.
                aside = entry.folder.with_name(f".{uuid.uuid4().hex}")
                entry.folder.rename(aside)
                shutil.rmtree(aside)
                (cache / "locks" / entry.folder.name).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"cannot remove {error.filename}: {error.strerror}") from error


@contextmanager
def in_use(cache: Path) -> Iterator[None]:
    """Keep entries from being removed while a study reads them; several studies may."""
    with _lock(cache, fcntl.LOCK_SH):
        yield


@contextmanager
def unused(cache: Path) -> Iterator[None]:
    """Keep studies from beginning to read; `InputError` while one does."""
    with _lock(cache, fcntl.LOCK_EX | fcntl.LOCK_NB):
        yield


@contextmanager
def _lock(cache: Path, kind: int) -> Iterator[None]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        file = (cache / _LOCK).open("w")
    except OSError as error:
        raise StoreError(f"cannot write the cache in {cache}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, kind)
        except BlockingIOError as error:
            raise InputError.of(
                "cache", "is in use by a study that is running", None, "prune when it has ended"
            ) from error
        yield


def _entries(cache: Path) -> Iterator[Entry]:
    for tree in _TREES:
        folder = cache / tree
        for entry in folder.iterdir() if folder.is_dir() else ():
            try:
                size = sum(file.stat().st_blocks * 512 for file in entry.iterdir())
                yield Entry(entry, size, entry.stat().st_mtime)
            except (FileNotFoundError, NotADirectoryError):
                continue  # another process removed it, or it is none of the cache's
