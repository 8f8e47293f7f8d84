"""The lock that keeps two processes from writing one study."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uda_study.errors import InputError


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the study's lock, which ends with the process; `InputError` where another holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError.of(
                f"study {folder.name}",
                "is being run by another process",
                remedy="wait for it, or stop it",
            ) from error
        yield
