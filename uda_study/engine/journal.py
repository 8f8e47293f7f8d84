"""The study's own memory: an append-only file from which a study resumes after any interruption."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from uda_study.errors import StoreError
from uda_study.study.trial import TrialResult, TrialSpec

JOURNAL = "journal.jsonl"


@dataclass(frozen=True)
class Started:
    """A training was handed out."""

    spec: TrialSpec


@dataclass(frozen=True)
class Reported:
    """A running training reported scores."""

    key: str
    step: int
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Finished:
    """A training ended."""

    result: TrialResult


@dataclass(frozen=True)
class Failed:
    """An attempt at a training failed; the training has not ended by that."""

    key: str
    message: str


@dataclass(frozen=True)
class Retried:
    """A training that had ended is to be done again; what it came to no longer counts."""

    key: str


Event = Started | Reported | Finished | Failed | Retried
_BY_KEY: dict[str, type[Reported | Failed | Retried]] = {
    "reported": Reported, "failed": Failed, "retried": Retried,
}  # fmt: skip


class Journal:
    """Writes events as they happen and reads them back in order.

    Each event is one line, flushed to disk before the call returns. A last line that a crash cut
    off is dropped; damage anywhere else raises `StoreError`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def events(self) -> list[Event]:
        """Return what has happened so far."""
        return list(self._read())

    def write(self, event: Event) -> None:
        """Append one event; where the disk refuses it, the file is left as it was: `OSError`."""
        kind = type(event).__name__.lower()
        line = json.dumps({"event": kind, **asdict(event)}, sort_keys=True) + "\n"
        self._append(line.encode("utf-8"))

    def _append(self, line: bytes) -> None:
        # Unbuffered: of a line that did not fit, nothing may be written when the file is closed.
        with self.path.open("ab", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            try:
                written = 0
                while written < len(line):
                    written += file.write(line[written:])
                os.fsync(file.fileno())
            except OSError as error:
                # Later lines would make of half a line damage in the middle.
                os.ftruncate(file.fileno(), end)
                raise OSError(error.errno, error.strerror, str(self.path)) from error

    def repair(self) -> None:
        """Cut off a last line that was not written whole, before anything is appended."""
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            os.truncate(self.path, whole)

    def _read(self) -> Iterator[Event]:
        if not self.path.exists():
            return
        lines = self.path.read_bytes().split(b"\n")
        for number, line in enumerate(lines[:-1], start=1):
            try:
                yield _decode(json.loads(line.decode("utf-8")))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise StoreError(
                    f"{self.path.name}:{number}: the line is damaged ({error}); restore the file "
                    "from a backup or remove the line: its training is then done again"
                ) from error


def _decode(values: dict[str, Any]) -> Event:
    kind = values.pop("event")
    if kind == "started":
        return Started(TrialSpec.from_json(values["spec"]))
    if kind == "finished":
        return Finished(TrialResult(**values["result"]))
    if kind not in _BY_KEY:
        raise ValueError(f"unknown event {kind!r}")
    return _BY_KEY[kind](**values)
