"""What every training of a study needs to know, and the data they share, made ready once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uda_study import plugins
from uda_study.data.prepare import PreparedCase, prepare
from uda_study.data.sampler import in_channels
from uda_study.data.splits import make_split
from uda_study.dataset import Dataset, Preprocessing
from uda_study.engine.fetched_root import local_root
from uda_study.errors import InputError
from uda_study.mirror import Mirror
from uda_study.study.model import DataSpec, StudySpec
from uda_study.training.task_data import TaskData
from uda_study.types import Case, Direction, Task

# Networks halve the resolution up to three times; the plane is padded to what they can halve.
_PATCH_MULTIPLE = 16


@dataclass(frozen=True)
class Home:
    """The folder that holds all state: studies, caches, the tracker's database.

    ``shared`` is an address where a cluster's machines, each with a folder of its own at ``path``,
    keep what all of them need; None where they all see the same folder.
    """

    path: Path
    shared: str | None = None

    @property
    def mirror(self) -> Mirror:
        """What brings folders to that address and back."""
        return Mirror(self.path, self.shared)

    @property
    def cache(self) -> Path:
        """Where prepared images, phantoms and trained stages lie."""
        return self.path / "cache"

    @property
    def prepared(self) -> Path:
        """Where prepared images lie."""
        return self.cache / "prepared"

    def study(self, study: str) -> Path:
        """Return the folder of a study."""
        return self.path / "studies" / study

    def create(self) -> None:
        """Make the folder; `InputError` if nothing can be written there."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise InputError.of(
                "home",
                f"must be a folder that can be written to ({error.strerror})",
                self.path,
                "choose another with --home or UDA_STUDY_HOME",
            ) from error


@dataclass(frozen=True)
class Job:
    """The constants of a running study, as each training receives them."""

    home: Home
    study: str
    spec: StudySpec
    preprocessing: Preprocessing
    data: Mapping[tuple[str, int], TaskData]

    @property
    def folder(self) -> Path:
        """The study's folder."""
        return self.home.study(self.study)

    def trial_folder(self, key: str) -> Path:
        """Return the folder of one training, by its key."""
        return self.folder / "trials" / key


def preprocessing_of(spec: DataSpec, dataset: Dataset[Any]) -> Preprocessing:
    """Return the dataset's preset with what the study file overrides."""
    given = spec.model_dump(include=set(Preprocessing.model_fields))
    overrides = {name: value for name, value in given.items() if value is not None}
    return Preprocessing.model_validate({**dataset.preprocessing().model_dump(), **overrides})


def open_dataset(spec: DataSpec, home: Home) -> Dataset[Any]:
    """Return the dataset that the study names, with its options."""
    plugin = plugins.load("datasets", spec.dataset, Dataset)
    options = plugin.Options.model_validate(spec.options)
    dataset: Dataset[Any] = plugin(
        options, local_root(spec.root, home.cache), home.cache / spec.dataset
    )
    return dataset


def load_data(
    spec: DataSpec,
    dataset: Dataset[Any],
    cases: Sequence[Case],
    directions: Sequence[Direction],
    home: Home,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Preprocessing, dict[tuple[str, int], TaskData]]:
    """Prepare those of the dataset's cases whose domain is in play; keys are (direction, fold).

    Raises `InputError` naming every case that is damaged and every role without subjects.
    """
    preprocessing = preprocessing_of(spec, dataset)
    splits = {
        (str(direction), fold): make_split(cases, direction, spec.split, fold, spec.folds)
        for direction in directions
        for fold in range(spec.folds)
    }
    wanted = {d for direction in directions for d in (direction.source, direction.target)}
    in_play = [case for case in cases if case.domain in wanted]
    prepared = prepare(in_play, preprocessing, home.prepared, progress)
    task = _task(spec, preprocessing, list(prepared.values()))
    return preprocessing, {
        key: TaskData(task, prepared, split, spec.sampling, spec.adjacent_slices, spec.augmentation)
        for key, split in splits.items()
    }


def _task(spec: DataSpec, preprocessing: Preprocessing, cases: Sequence[PreparedCase]) -> Task:
    channels = {in_channels(case, spec.adjacent_slices) for case in cases}
    if len(channels) > 1:
        raise InputError.of(
            "data", "all cases must have the same number of channels", sorted(channels)
        )
    dims = spec.spatial_dims
    patch = spec.patch_size
    if patch is None:
        largest = [max(case.grid.shape[axis] for case in cases) for axis in range(dims)]
        patch = tuple(-(-size // _PATCH_MULTIPLE) * _PATCH_MULTIPLE for size in largest)
    elif len(patch) != dims:
        raise InputError.of(
            "data.patch_size", f"must have {dims} numbers for spatial_dims: {dims}", list(patch)
        )
    return Task(
        dims, channels.pop(), preprocessing.class_names, patch, cases[0].grid.spacing[:dims]
    )
