"""One thread that writes events to the tracker, and a file for those that it would not take."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from uda_study.tracking.events import Event

SPOOL = "mlflow-spool.jsonl"
PAUSES = (0.2, 1.0, 4.0)
"""Seconds between the attempts to write."""
_STOP = None


class Writer:
    """Takes events at once and writes them in order, several at a time.

    When the tracker fails repeatedly, this batch and all later events go to the spool, so that
    their order is kept; `warn` is told once. The spool is written first at the next start.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Event]], None],
        spool: Path,
        warn: Callable[[str], None],
    ) -> None:
        self._write, self._spool, self._warn = write, spool, warn
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._broken = self._lost = False
        self._replay()
        self._thread = threading.Thread(target=self._run, name="mlflow-writer", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        """Hand an event over; returns at once."""
        self._queue.put(event)

    def close(self, timeout: float = 120.0) -> bool:
        """Write what is left; return whether the tracker has all of it."""
        self._queue.put(_STOP)
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._warn(f"MLflow did not take all that was written within {timeout:.0f} s")
            return False
        if self._broken:
            self._replay()
        return not (self._broken or self._lost)

    def _run(self) -> None:
        stopping = False
        while not stopping:
            batch = [self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get())
            stopping = _STOP in batch
            self._deliver([event for event in batch if event is not None])

    def _deliver(self, events: Sequence[Event]) -> None:
        if not events:
            return
        if self._broken or not self._attempt(events):
            try:
                with self._spool.open("a", encoding="utf-8") as file:
                    file.writelines(event.to_json() + "\n" for event in events)
            except OSError as error:
                if not self._lost:
                    self._warn(f"{self._spool}: {error.strerror}; the next start writes it again")
                self._lost = True

    def _attempt(self, events: Sequence[Event]) -> bool:
        for pause in (*PAUSES, None):
            try:
                self._write(events)
            except Exception as error:
                # Whatever the tracker does, the study goes on: this is the one place for it.
                if pause is not None:
                    time.sleep(pause)
                    continue
                self._broken = True
                self._warn(
                    f"MLflow does not take the study's runs ({type(error).__name__}: {error}); "
                    f"they are kept in {self._spool.name} and written at the next start"
                )
            else:
                return True
        return False

    def _replay(self) -> None:
        """Write the spool of an earlier time, if there is one; it stays if that fails."""
        if not self._spool.exists():
            self._broken = False
            return
        events = []
        for line in self._spool.read_text(encoding="utf-8").splitlines():
            try:
                events.append(Event.from_json(line))
            except (ValueError, TypeError, KeyError):
                self._warn(f"a line of {self._spool.name} was cut off by a crash and is left out")
        if self._attempt(events):
            self._spool.unlink()
            self._broken = False
