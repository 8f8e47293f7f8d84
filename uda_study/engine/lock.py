"""The lock that keeps two processes from writing one study."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uda_study.errors import InputError

LOCK = ".lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the study's lock, which ends with the process; `InputError` where another holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError.of(
                f"study {folder.name}",
                "is being run by another process",
                remedy=f"wait for it, or: uda-study stop {folder.name}",
            ) from error
        # For `uda_study.engine.holder`, which tells it to end.
        file.truncate(0)
        file.write(f"{os.getpid()} {socket.gethostname()}\n")
        file.flush()
        yield
