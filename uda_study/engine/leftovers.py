"""What lies in a home that nothing needs any more, and what it takes on disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uda_study.engine.disk_space import bytes_of
from uda_study.engine.factor_order import stored_spec
from uda_study.engine.job import Home
from uda_study.engine.journal import JOURNAL, Journal
from uda_study.engine.records import DATA
from uda_study.engine.remaining import Done, missing_in
from uda_study.engine.retention import MODEL, drop_model
from uda_study.engine.retrain import ASIDE
from uda_study.study.cells import cells
from uda_study.study.retention import beyond
from uda_study.training.checkpoint import CHECKPOINTS
from uda_study.training.stage_cache import StageCache, stage_key

MODELS = "models beyond the best {keep} of a cell"
_DRAFTS = ("checkpoints/.draft-*", f".{MODEL}.*.partial", ".[0-9]*-*")


@dataclass(frozen=True)
class Leftover:
    """Folders and files of one kind that can go; ``study`` is None for what studies share.

    ``keys`` are the trainings whose models go by it, here and in the tracker.
    """

    study: str | None
    what: str
    bytes: int
    paths: tuple[Path, ...]
    keys: tuple[str, ...] = ()


def of_study(study: Path, keep_models: int | None) -> list[Leftover]:
    """Return what can go of a study that nobody runs.

    ``keep_models`` stands in for its own ``checkpoint.study_top_k``. Models go of finished studies
    alone; nothing goes that a resume, a leaderboard, a report or a promotion reads.
    """
    trials = study / "trials"
    done = Done.of(Journal(study / JOURNAL).events())
    found = [
        _leftover(study.name, "checkpoints of finished trainings", _checkpoints(trials, done)),
        _leftover(study.name, "drafts that a crash left", _drafts(study)),
        _leftover(study.name, "scratch folder of Ray", [study / "ray"]),
        _leftover(study.name, "trainings that were done again", [study / ASIDE]),
    ]
    spec = stored_spec(study)
    keep = spec.checkpoint.study_top_k if keep_models is None else keep_models
    if keep is not None and not missing_in(study):
        keys = [
            key
            for cell in cells(spec)
            for key in beyond(done.specs, done.results, cell.key, spec.metric, keep)
            if (trials / key / MODEL).is_dir()
        ]
        paths = [trials / key / MODEL for key in keys]
        found.append(_leftover(study.name, MODELS.format(keep=keep), paths, keys))
    return [one for one in found if one.paths]


def of_home(home: Home, studies: Iterable[Path]) -> list[Leftover]:
    """Return what can go of the stages that studies share; all studies of the home are given.

    A stage is needed while its images are those of a study, and the code is what it was trained
    with: with any other, a study trains a stage of its own.
    """
    images = {image for study in studies for image in _images(study)}
    outdated, unused, drafts = [], [], []
    cache = StageCache(home.cache / "stages")
    for place in sorted(cache.folder.iterdir()) if cache.folder.is_dir() else ():
        if place.name.startswith(".draft-"):
            drafts.append(place)
        facts = _facts(place)
        if facts is None:
            continue
        if stage_key(facts) != place.name:
            outdated.append(place)
        elif not images & set(_of_stage(facts)):
            unused.append(place)
    found = [
        _leftover(None, "drafts that a crash left", drafts),
        _leftover(None, "shared stages of another version of the code", outdated),
        _leftover(None, "shared stages of no study of this home", unused),
    ]
    return [one for one in found if one.paths]


def free(leftover: Leftover, home: Home) -> None:
    """Remove it; models leave word that they were dropped."""
    for path in leftover.paths:
        if leftover.keys:
            drop_model(path.parent, home.mirror)
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _leftover(
    study: str | None, what: str, paths: Iterable[Path], keys: Iterable[str] = ()
) -> Leftover:
    there = tuple(path for path in paths if path.exists())
    return Leftover(study, what, sum(map(_size, there)), there, tuple(keys))


def _size(path: Path) -> int:
    return bytes_of(path) if path.is_dir() else path.lstat().st_blocks * 512


def _checkpoints(trials: Path, done: Done) -> list[Path]:
    return [trials / key / CHECKPOINTS for key in done.results]


def _drafts(study: Path) -> list[Path]:
    places = (study, *sorted((study / "trials").glob("*")))
    return [path for place in places for pattern in _DRAFTS for path in sorted(place.glob(pattern))]


def _images(study: Path) -> Iterator[str]:
    for case in json.loads((study / DATA).read_text(encoding="utf-8"))["cases"].values():
        yield str(case["image"])


def _facts(stage: Path) -> dict[str, Any] | None:
    try:
        facts = json.loads((stage / "facts.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def _of_stage(facts: dict[str, Any]) -> Iterator[str]:
    """Yield the images that a stage was trained on."""
    data = facts.get("data")
    for side in ("source", "target"):
        for image in data.get(side, ()) if isinstance(data, dict) else ():
            yield str(image[0] if isinstance(image, list) else image)
