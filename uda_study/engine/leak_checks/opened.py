"""Which files this process opens, whoever opens them: Python tells through its audit events."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_listeners: list[set[Path]] = []
_installed: list[bool] = []


@contextmanager
def opened_files() -> Iterator[set[Path]]:
    """Yield the set that fills with the absolute paths of all files opened meanwhile.

    Seen is what Python's own ``open`` opens, NumPy, nibabel and Pillow included; a library that
    opens files in C by itself is not.
    """
    if not _installed:
        # A hook cannot be taken away again: it does nothing while nobody listens.
        sys.addaudithook(_note)
        _installed.append(True)
    found: set[Path] = set()
    _listeners.append(found)
    try:
        yield found
    finally:
        _listeners[:] = [listener for listener in _listeners if listener is not found]


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event != "open" or not _listeners:
        return
    path = arguments[0]
    if isinstance(path, str | bytes):
        absolute = Path(os.path.abspath(os.fsdecode(path)))
        for listener in _listeners:
            listener.add(absolute)
