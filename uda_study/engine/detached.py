"""A study that runs by itself on this machine: its log, and how it ended."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from uda_study.errors import InputError, StoreError

LOG, CODE = "run.log", "run.exit"
_POLL_S = 0.2
# The inner shell outlives the command by one line, how it ended, and is no child of ours.
_SCRIPT = '(code=$1; shift; "$@"; echo $? > "$code.new" && mv "$code.new" "$code") &'


def start(folder: Path, words: Sequence[str]) -> None:
    """Run a command of uda-study in a session of its own, which a closed terminal does not end.

    What it prints goes to the folder's `LOG`, its exit status to `CODE`. `InputError` where one
    runs there already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("a") as log:
        # A lock on the open file is the child's as well: it ends with the last process that has it.
        if not _lock(log, fcntl.LOCK_EX):
            raise InputError.of(
                f"study {folder.name}",
                "is being run by another process",
                remedy=f"uda-study follow {folder.name}",
            )
        log.truncate(0)
        (folder / CODE).unlink(missing_ok=True)
        command = [sys.executable, "-m", "uda_study", *words]
        subprocess.run(
            ["/bin/sh", "-c", _SCRIPT, "sh", str(folder / CODE), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=True,
        )


def follow(folder: Path, write: Callable[[str], None]) -> int:
    """Pass on the log as it grows until the study has ended; return its exit status.

    Raises `StoreError` where it ended without saying how, as by SIGKILL.
    """
    with (folder / LOG).open("r", encoding="utf-8", errors="replace") as log:
        while True:
            # Asked before the log is read, so that the end of the log is not missed.
            ended = _lock(log, fcntl.LOCK_SH)
            write(log.read())
            if ended:
                break
            time.sleep(_POLL_S)
    if not (folder / CODE).exists():
        raise StoreError(f"study {folder.name} was killed; see {folder / LOG}")
    return int((folder / CODE).read_text(encoding="ascii"))


def _lock(file: IO[str], kind: int) -> bool:
    """Take the lock if it is free; one that is shared is given back."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    if kind == fcntl.LOCK_SH:
        fcntl.flock(file, fcntl.LOCK_UN)
    return True
