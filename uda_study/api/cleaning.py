"""Free the disk of what nothing needs any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from uda_study.data.prune import Pruning, plan_pruning, remove, unused
from uda_study.engine.edits import STUDY
from uda_study.engine.job import Home
from uda_study.engine.leftovers import Leftover, free, of_home, of_study
from uda_study.engine.lock import alone
from uda_study.errors import InputError
from uda_study.study.find import find_study
from uda_study.tracking.dropped import drop_models


@dataclass(frozen=True)
class Cleaning:
    """What can go, or has gone; ``running`` names studies that were left alone for that reason."""

    leftovers: tuple[Leftover, ...]
    images: Pruning
    running: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """How much it takes on disk."""
        return sum(one.bytes for one in self.leftovers) + self.images.bytes_freed


def clean(
    home: Home, study: str | None, keep_models: int | None, unused_for: float, *, really: bool
) -> Cleaning:
    """Return what can go of one study, or of a whole home; removed only if ``really``.

    ``unused_for`` is in seconds: prepared images that were not used for so long go. While any study
    of the home runs, what all share stays. Raises `InputError` for an unknown study.
    """
    folders = sorted(path.parent for path in home.path.glob(f"studies/*/{STUDY}"))
    wanted = folders
    if study is not None:
        name = find_study(study, [folder.name for folder in folders])
        wanted = [folder for folder in folders if folder.name == name]
    found: list[Leftover] = []
    running: list[str] = []
    for folder in wanted:
        with _idle(folder) as idle:
            if not idle:
                running.append(folder.name)
                continue
            mine = of_study(folder, keep_models)
            for one in mine if really else ():
                free(one, home)
                drop_models(home.path, folder.name, one.keys)
            found += mine
    images = Pruning((), ())
    if study is None and not running:
        shared = of_home(home, folders)
        images = plan_pruning(home.prepared, older_than=unused_for)
        if really:
            with unused(home.prepared):
                for one in shared:
                    free(one, home)
            remove(home.prepared, images)
        found += shared
    return Cleaning(tuple(found), images, tuple(running))


@contextmanager
def _idle(study: Path) -> Iterator[bool]:
    """Hold the study's lock, and tell whether that was possible."""
    lock = alone(study)
    try:
        lock.__enter__()
    except InputError:
        yield False
        return
    try:
        yield True
    finally:
        lock.__exit__(None, None, None)
