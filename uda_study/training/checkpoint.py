"""Checkpoints that are whole or absent, and a way back past a damaged one."""

from __future__ import annotations

import json
import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from uda_study.errors import StoreError
from uda_study.mirror import Mirror
from uda_study.training.weights import file_sha256

_LOGGER = logging.getLogger("uda_study")
CHECKPOINTS = "checkpoints"
"""The folder of a training's checkpoints, beside what it leaves when it has ended."""
_STATE, _MANIFEST = "state.pt", "manifest.json"


class CheckpointStore:
    """The checkpoints of one training in one folder; the newest ``keep`` stay.

    A checkpoint is written beside its final place, flushed, and renamed: a crash leaves the older
    ones untouched. Its manifest carries the SHA-256 of the state, so a damaged one is recognised
    and the next older one taken.

    With a mirror they are copied to its address as well, and a training that goes on on another
    machine finds them there. A copy that fails is said and does not stop the training.
    """

    def __init__(self, folder: Path, keep: int = 2, mirror: Mirror | None = None) -> None:
        self.folder = folder
        self.keep = keep
        self.mirror = mirror or Mirror(folder)

    def save(self, number: int, state: dict[str, Any]) -> None:
        """Write the state (tensors and plain values) as checkpoint ``number``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        place = self.folder / f"{number:09d}"
        draft = self.folder / f".draft-{number:09d}-{os.getpid()}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        try:
            with (draft / _STATE).open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            manifest = {"sha256": file_sha256(draft / _STATE)}
            (draft / _MANIFEST).write_text(json.dumps(manifest))
        except Exception:
            # Where the disk is full, what did not fit would keep it so.
            shutil.rmtree(draft, ignore_errors=True)
            raise
        shutil.rmtree(place, ignore_errors=True)
        draft.rename(place)
        try:
            self.mirror.push(place)
            for old in self._elsewhere()[self.keep :]:
                self.mirror.drop(old)
        except StoreError as error:
            _LOGGER.warning("checkpoint %d was kept on this machine alone: %s", number, error)
        for old in self._newest_first()[self.keep :]:
            shutil.rmtree(old)

    def load(self) -> dict[str, Any] | None:
        """Return the newest whole state, or None if there is none.

        Raises `StoreError` when there are checkpoints but all are damaged.
        """
        places = sorted({*self._newest_first(), *self._elsewhere()}, reverse=True)
        for place in places:
            if not self._is_whole(place):
                with suppress(StoreError):
                    self.mirror.pull(place)
            if self._is_whole(place):
                # Those who load it know their device; the one that saved it may not be here.
                state: dict[str, Any] = torch.load(
                    place / _STATE, map_location="cpu", weights_only=True
                )
                return state
        if places:
            raise StoreError(f"{self.folder}: all {len(places)} checkpoints are damaged")
        return None

    def clear(self) -> None:
        """Remove all checkpoints; a finished training needs none."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.mirror.drop(self.folder)

    def _newest_first(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted((p for p in self.folder.iterdir() if p.name.isdigit()), reverse=True)

    def _elsewhere(self) -> list[Path]:
        names = self.mirror.names(self.folder)
        return sorted((self.folder / name for name in names if name.isdigit()), reverse=True)

    @staticmethod
    def _is_whole(place: Path) -> bool:
        try:
            manifest = json.loads((place / _MANIFEST).read_text())
            return bool(manifest["sha256"] == file_sha256(place / _STATE))
        except (OSError, ValueError, KeyError, TypeError):
            return False
