"""The journal of a study whose machines share no folder: it is also kept at the home's address."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from uda_study.engine.job import Home
from uda_study.engine.journal import Event, Journal, Started
from uda_study.errors import InputError, StoreError
from uda_study.mirror import Mirror

_LOGGER = logging.getLogger("uda_study")
PAUSE_S = 3.0
"""At least so long between two copies that nothing waits for."""
_SHARE = 20
"""Copying takes at most this part of the time: a long journal is copied less often."""


class SharedJournal(Journal):
    """A journal that is copied to an address.

    A start is there before the training is handed out: what was begun is never begun again under
    another name. Everything else is there a few seconds later. Raises `StoreError` where another
    run has written at the address meanwhile.
    """

    def __init__(self, path: Path, mirror: Mirror) -> None:
        super().__init__(path)
        self._mirror = mirror
        self._lock = threading.Lock()
        self._news, self._ended = threading.Event(), threading.Event()
        self._there = mirror.read(path) or b""
        self._thread = threading.Thread(target=self._follow, name="journal-mirror", daemon=True)
        self._thread.start()

    def write(self, event: Event) -> None:
        """Append one event."""
        super().write(event)
        if isinstance(event, Started):
            self.send()
        else:
            self._news.set()

    def send(self) -> None:
        """Copy what is new."""
        with self._lock:
            content = whole_lines(self.path)
            if content == self._there:
                return
            now = self._mirror.size(self.path) or 0
            # An answer that was lost leaves it open whether the last copy had arrived.
            if now != len(self._there) and self._mirror.read(self.path) != content:
                raise StoreError(
                    f"{self._mirror.address}: another run of study {self.path.parent.name} writes "
                    "there; let one of them end, then run the study again"
                )
            self._mirror.write(self.path, content)
            self._there = content

    def close(self) -> None:
        """Copy the last events."""
        self._ended.set()
        self._news.set()
        self._thread.join()
        self.send()

    def _follow(self) -> None:
        pause = PAUSE_S
        while not self._ended.is_set():
            self._news.wait()
            self._news.clear()
            if self._ended.wait(pause):
                return
            begun = time.monotonic()
            try:
                self.send()
            except StoreError as error:
                _LOGGER.warning("the journal is behind at the address: %s", error)
                self._news.set()
            pause = max(PAUSE_S, _SHARE * (time.monotonic() - begun))


@contextmanager
def open_journal(home: Home, path: Path) -> Iterator[Journal]:
    """Yield the journal at that path, repaired; at the end all of it is at the home's address."""
    Journal(path).repair()
    if home.shared is None:
        yield Journal(path)
        return
    journal = SharedJournal(path, home.mirror)
    try:
        yield journal
    except BaseException:
        with suppress(StoreError):
            journal.close()
        raise
    journal.close()


def whole_lines(path: Path) -> bytes:
    """Return the lines that were written whole; nothing without a file."""
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def newer(here: bytes, there: bytes, places: tuple[str, str]) -> bool:
    """Tell whether the journal there goes on where the one here ends.

    Raises `InputError` naming both ``places`` where neither continues the other.
    """
    if there.startswith(here):
        return len(there) > len(here)
    if here.startswith(there):
        return False
    raise InputError.of(
        "journal",
        "of one study must not have gone on in two places",
        " and ".join(places),
        "keep the one you want, and move the other out of its place",
    )
