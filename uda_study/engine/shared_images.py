"""Prepared images on machines that do not share a folder: the driver sends, trainings fetch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from uda_study import plugins
from uda_study.data.store import claim
from uda_study.engine.job import Home, Job
from uda_study.errors import StoreError
from uda_study.method import Method
from uda_study.study.trial import TrialSpec
from uda_study.training.task_data import TaskData
from uda_study.types import Role

_THREADS = 8
_EVALUATED: tuple[Role, ...] = ("source_train", "source_val", "target_val", "target_test")
"""Roles whose labels every training opens: to train the segmenter, and for scores of source and
target, the latter once it is over."""


def push_images(home: Home, data: Mapping[tuple[str, int], TaskData]) -> None:
    """Copy the prepared images and labels to the home's address; what is there is not sent again.

    Raises `StoreError` where the address does not answer.
    """
    if home.shared is None:
        return
    prepared = [case for each in data.values() for case in each.prepared.values()]
    folders = {case.folder for case in prepared} | {case.label_folder for case in prepared}

    def push(folder: Path) -> None:
        home.mirror.push(folder, replace=False)

    _at_once(push, {folder for folder in folders if folder is not None})


def fetch_images(job: Job, spec: TrialSpec) -> None:
    """Fetch what a training reads of its split and this machine has not, each folder once.

    Labels come for the cases that the training or its evaluation may open, and for no others.
    Raises `StoreError` for images that are neither here nor at the address.
    """
    home = job.home
    if home.shared is None:
        return

    def fetch(folder: Path) -> None:
        if folder.is_dir():
            return
        with claim(home.prepared / "locks" / folder.name):
            if not folder.is_dir():
                home.mirror.pull(folder)
        if not folder.is_dir():
            raise StoreError(
                f"{home.shared}: has no prepared images {folder.name}; run the study again, it "
                "sends them"
            )

    _at_once(fetch, needed(job.data[spec.direction, spec.fold], spec))


def needed(data: TaskData, spec: TrialSpec) -> set[Path]:
    """Return the folders of images, and of those labels that the training may have opened."""
    plugin = plugins.load("methods", spec.method, Method)
    with_labels = set(_EVALUATED)
    if plugin.needs.target == "labels":
        with_labels.add("target_bound")
    folders = set()
    for role, names in data.split.roles.items():
        for case in (data.prepared[name] for name in names):
            folders.add(case.folder)
            if role in with_labels and case.label_folder is not None:
                folders.add(case.label_folder)
    return folders


def _at_once(act: Callable[[Path], None], folders: Iterable[Path]) -> None:
    with ThreadPoolExecutor(_THREADS) as threads:
        for _ in threads.map(act, sorted(folders)):
            pass
