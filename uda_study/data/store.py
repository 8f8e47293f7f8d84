"""The content-addressed cache on disk: an entry is a folder that is complete or not there."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uda_study.data.limits import files_below, unreadable
from uda_study.errors import StoreError
from uda_study.types import JSON

# A file changed this recently may change again within the same time stamp.
_SETTLED_SECONDS = 2.0
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def key_of(values: JSON) -> str:
    """Return the sha256 of the values' canonical JSON."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def content_sha256(path: Path, where: str, memo: Path) -> str:
    """Return the sha256 of a file's bytes, remembered below ``memo`` while the file is unchanged.

    A folder of slices counts as one file: its hash is of the names and contents of its files.
    Unchanged means the same sizes, modification and change times. Raises `InputError`.
    """
    try:
        files = files_below(path) if path.is_dir() else [path]
        states = [file.stat() for file in files]
        # Hashed, as the name of a file may be that of a patient.
        stamp = key_of(
            [
                [file.name, state.st_size, state.st_mtime_ns, state.st_ctime_ns]
                for file, state in zip(files, states, strict=True)
            ]
        )
        note = memo / f"{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()}.json"
        known = _remembered(note, stamp)
        if known is not None:
            return known
        digests = [_file_sha256(file) for file in files]
        names: list[JSON] = [file.name for file in files]
        digest = key_of([names, [*digests]]) if path.is_dir() else digests[0]
    except OSError as error:
        raise unreadable(where, error) from error
    newest = max((max(state.st_mtime, state.st_ctime) for state in states), default=0.0)
    if time.time() - newest > _SETTLED_SECONDS:
        _write_note(note, [stamp, digest])
    return digest


def _file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array so that one slice along the last axis lies together in the file."""
    with path.open("wb") as stream:
        np.save(stream, np.asfortranarray(array), allow_pickle=False)
        stream.flush()
        os.fsync(stream.fileno())


def open_array(path: Path) -> Any:
    """Map an array of `write_array` read-only; nothing is read yet."""
    return np.load(path, mmap_mode="r", allow_pickle=False)


def is_whole(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> bool:
    """Tell from header and size whether an array file has this shape and lost nothing."""
    try:
        array = open_array(path)
        size = path.stat().st_size
    except (OSError, ValueError, EOFError, SyntaxError):
        return False
    expected = array.shape == shape and array.dtype == dtype
    return bool(expected and size == array.offset + array.nbytes)


def install(folder: Path, whole: Callable[[], bool], write: Callable[[Path], None]) -> None:
    """Fill a folder beside ``folder`` and move it into place; another's whole entry is kept.

    Raises `StoreError` when the disk refuses.
    """
    scratch = folder.parent / f".{folder.name[:12]}-{uuid.uuid4().hex}"
    try:
        scratch.mkdir(parents=True)
        write(scratch)
        while not _moved(scratch, folder) and not whole():
            _discard(folder)
    except OSError as error:
        raise StoreError(f"cannot write the cache in {folder.parent}: {error.strerror}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def claim(lock: Path) -> Iterator[None]:
    """Hold a lock between threads and processes: of two that want an entry, one makes it.

    The operating system frees the lock if the process dies. Raises `StoreError` when the disk
    refuses.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    except OSError as error:
        raise StoreError(f"cannot write the cache in {lock.parent}: {error.strerror}") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _moved(scratch: Path, folder: Path) -> bool:
    try:
        scratch.replace(folder)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        return False
    return True


def _discard(folder: Path) -> None:
    """Take a damaged entry out of sight at once, then delete it."""
    aside = folder.parent / f".{folder.name[:12]}-{uuid.uuid4().hex}"
    try:
        folder.replace(aside)
    except FileNotFoundError:
        return  # another process did the same
    if aside.is_dir():
        shutil.rmtree(aside, ignore_errors=True)
    else:
        aside.unlink()


def _remembered(note: Path, stamp: str) -> str | None:
    try:
        known_stamp, digest = json.loads(note.read_text())
    except (OSError, ValueError, TypeError):
        return None
    return str(digest) if known_stamp == stamp else None


def _write_note(note: Path, content: JSON) -> None:
    scratch = note.with_name(f".{uuid.uuid4().hex}")
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(json.dumps(content))
        scratch.replace(note)
    except OSError as error:
        raise StoreError(f"cannot write the cache in {note.parent}: {error.strerror}") from error
