"""Weights of stages that several trainings share: each is trained once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

import uda_study
from uda_study.data.store import claim
from uda_study.errors import StoreError
from uda_study.mirror import Mirror
from uda_study.training.weights import save_weights
from uda_study.types import JSON

_WEIGHTS, _FACTS = "weights.safetensors", "facts.json"
# A change of these packages may change what a stage learns, so it makes a new key.
_CODE = ("nets", "losses", "parts", "data", "training/step.py", "training/stage_cache.py")


@cache
def code_sha(parts: tuple[str, ...] = _CODE) -> str:
    """Return a hash of source code: of what the result of a shared stage depends on, or of more."""
    root = Path(uda_study.__file__).parent
    digest = hashlib.sha256()
    for part in parts:
        place = root / part
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def stage_key(facts: Mapping[str, JSON]) -> str:
    """Return the content address of a stage: a hash of the facts and of the code."""
    text = json.dumps({"code": code_sha(), **facts}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class StageCache:
    """A folder of trained stages, keyed by everything that they depend on.

    An entry becomes visible only when it is whole. `claim` holds a lock between processes, so of
    two that want the same missing entry one trains it and the other waits and reads.

    With a mirror, what another machine has trained is fetched, and what this one trains is copied
    to the address. Locks end at the machine: two that begin the same stage at the same time both
    train it, from the same seed on the same images, and the one that is first at the address stays.
    """

    def __init__(self, folder: Path, mirror: Mirror | None = None) -> None:
        self.folder = folder
        self.mirror = mirror or Mirror(folder)

    def path(self, key: str) -> Path:
        """Return the folder of an entry, whether it exists or not."""
        return self.folder / key

    def __contains__(self, key: str) -> bool:
        return (self.path(key) / _FACTS).is_file()

    @contextmanager
    def claim(self, key: str) -> Iterator[None]:
        """Hold the entry's lock and fetch the entry if another machine has made it.

        The operating system frees the lock if the process dies.
        """
        with claim(self.folder / f"{key}.lock"):
            self._fetch(key)
            yield

    def load(self, key: str, module: nn.Module) -> None:
        """Fill the module with the entry's weights; `StoreError` if they are damaged."""
        self._fetch(key)
        try:
            weights = load_file(self.path(key) / _WEIGHTS)
        except (OSError, SafetensorError) as error:
            raise StoreError(
                f"{self.path(key)}: the trained stage is damaged ({error}); remove the folder, "
                "it is then trained again"
            ) from error
        module.load_state_dict(weights)

    def save(self, key: str, module: nn.Module, facts: Mapping[str, JSON]) -> None:
        """Store the module's weights under the key."""
        draft = self.folder / f".draft-{key}-{os.getpid()}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        try:
            save_weights(module, draft / _WEIGHTS)
            (draft / _FACTS).write_text(json.dumps(facts, indent=1, sort_keys=True))
        except Exception:
            # Where the disk is full, what did not fit would keep it so.
            shutil.rmtree(draft, ignore_errors=True)
            raise
        shutil.rmtree(self.path(key), ignore_errors=True)
        draft.rename(self.path(key))
        self.mirror.push(self.path(key), replace=False)

    def _fetch(self, key: str) -> None:
        if key not in self:
            self.mirror.pull(self.path(key))
