"""The process that runs a study: whether there is one, and how it is told to end."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from uda_study.engine.lock import LOCK
from uda_study.errors import InputError, StoreError

_POLL_S = 0.2


@dataclass(frozen=True)
class Holder:
    """A process, by its number and machine; number 0 where it did not say who it is."""

    pid: int
    host: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" if self.pid else "another process"


def holder(folder: Path) -> Holder | None:
    """Return the process that runs the study of this folder; None where none does."""
    try:
        with (folder / LOCK).open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                pid, _, host = file.read().strip().partition(" ")
                return Holder(int(pid), host) if pid.isdigit() else Holder(0, "")
    except FileNotFoundError:
        pass
    return None


def stop(folder: Path, patience_s: float) -> None:
    """Tell the process that runs the study to end by SIGTERM, and wait until it has.

    Raises `InputError` where none runs it or it is on another machine, and `StoreError` when it has
    not ended in time; it is never killed.
    """
    found = holder(folder)
    if found is None:
        raise InputError.of(f"study {folder.name}", "is not being run here")
    if not found.pid or found.host != socket.gethostname():
        raise InputError.of(
            f"study {folder.name}", "is not run by this machine", found, "stop it there"
        )
    os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    while holder(folder) == found:
        if time.monotonic() > deadline:
            raise StoreError(f"study {folder.name}: {found} has not ended in {patience_s:.0f} s")
        time.sleep(_POLL_S)
