"""A twin of a task's data in which what must not matter is noise."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uda_study.data.prepare import PreparedCase
from uda_study.training.task_data import TaskData
from uda_study.types import Role, Task

MOST_CASES = 4
"""So many cases stand for each role: the first ones, which keeps large datasets quick."""
SMALL_EDGE = {2: 64, 3: 32}
"""Patches are cut down to it, by the number of dimensions; what leaks does not depend on it."""

_TARGET: tuple[Role, ...] = ("target_adapt", "target_bound", "target_val", "target_test")
_HELD_OUT: tuple[Role, ...] = ("target_val", "target_test", "source_test")
_IN_USE: tuple[Role, ...] = ("source_train", "source_val", "target_adapt", "target_bound")


@dataclass(frozen=True)
class Withheld:
    """The ids of cases whose labels, and of those whose images, a training must not depend on."""

    labels: frozenset[str]
    images: frozenset[str]


def few_cases(data: TaskData, small: bool) -> TaskData:
    """Return the data with `MOST_CASES` in each role, and with small patches if so wanted."""
    roles = {role: names[:MOST_CASES] for role, names in data.split.roles.items()}
    task = _small(data.task) if small else data.task
    return replace(data, split=replace(data.split, roles=roles), task=task)


def withheld(data: TaskData, reads_labels: bool) -> Withheld:
    """Return what a method must not depend on; one that ``reads_labels`` may use target_bound."""
    roles = data.split.roles
    used = {name for role in _IN_USE for name in roles.get(role, ())}
    images = {name for role in _HELD_OUT for name in roles.get(role, ())} - used
    labels = {name for role in _TARGET for name in roles.get(role, ())} | images
    if reads_labels:
        labels -= set(roles.get("target_bound", ()))
    with_label = {name for name in labels if data.prepared[name].label_folder is not None}
    return Withheld(frozenset(with_label), frozenset(images))


def noisy(data: TaskData, labels: Collection[str], images: Collection[str], at: Path) -> TaskData:
    """Return the data with noise for the named labels and images, written below ``at``."""
    prepared = dict(data.prepared)
    for number, name in enumerate(sorted({*labels, *images})):
        case = prepared[name]
        rng = np.random.default_rng(number)
        if name in labels and case.label_folder is not None:
            folder = _folder(at, "label", number)
            _noisy_labels(case.label_folder, folder, data.task.num_classes, rng)
            case = replace(case, label_folder=folder)
        if name in images:
            case = replace(case, folder=_noisy_image(case, _folder(at, "image", number), rng))
        prepared[name] = case
    return replace(data, prepared=prepared)


def _folder(at: Path, kind: str, number: int) -> Path:
    folder = at / f"{kind}-{number}"
    folder.mkdir(parents=True)
    return folder


def _noisy_labels(real: Path, folder: Path, classes: int, rng: np.random.Generator) -> None:
    for name in ("label.npy", "native.npy"):
        shape = np.load(real / name, mmap_mode="r", allow_pickle=False).shape
        _save(folder / name, rng.integers(0, classes, shape, np.uint8))


def _noisy_image(case: PreparedCase, folder: Path, rng: np.random.Generator) -> Path:
    """Write noise for the image, one slice of it over and over, and the mask as it is."""
    channels, *plane, depth = case.image.shape
    slab = rng.standard_normal((channels, *plane, 1), np.float32)
    _save(folder / "image.npy", np.repeat(slab, depth, axis=-1))
    _save(folder / "mask.npy", case.mask)
    return folder


def _save(path: Path, array: NDArray[np.generic]) -> None:
    np.save(path, np.asfortranarray(array), allow_pickle=False)


def _small(task: Task) -> Task:
    edge = SMALL_EDGE[task.spatial_dims]
    return replace(task, patch_size=tuple(min(edge, size) for size in task.patch_size))
