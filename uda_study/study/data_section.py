"""Checks of a study's ``data`` section that need no data."""

from __future__ import annotations

from collections.abc import Iterator

from uda_study import plugins
from uda_study.data.augmentation import Mirror
from uda_study.dataset import Dataset, DatasetOptions
from uda_study.errors import InputError
from uda_study.study.model import DataSpec, StudySpec
from uda_study.study.schema_errors import build, shown
from uda_study.study.yaml_places import Finding


def check_data(spec: StudySpec) -> Iterator[Finding]:
    """Yield what is wrong with dataset, options, patches, augmentation, labels and splits."""
    yield from _check_dataset(spec.data)
    yield from _check_patches(spec.data)
    yield from _check_augmentation(spec.data)
    yield from _check_labels(spec.data)
    yield from _check_split(spec.data)


def _check_dataset(data: DataSpec) -> Iterator[Finding]:
    try:
        dataset = plugins.load("datasets", data.dataset, Dataset)
    except InputError as error:
        yield from (Finding(("data", "dataset"), p.rule, p.value, p.remedy) for p in error.problems)
        return
    options = build(dataset.Options, data.options, lambda _: dataset.Options.model_fields)
    if not isinstance(options, DatasetOptions):
        for found in options:
            at = ("data", "options", *found.at)
            yield Finding(at, found.rule, found.value, found.remedy)


def _check_patches(data: DataSpec) -> Iterator[Finding]:
    if data.patch_size is not None and len(data.patch_size) != data.spatial_dims:
        rule = f"must have {data.spatial_dims} entries, one per spatial dimension"
        yield Finding(("data", "patch_size"), rule, shown(list(data.patch_size)))
    if data.adjacent_slices != 1 and data.spatial_dims != 2:
        rule = "must be 1 where spatial_dims is 3: volumes hold their neighbours already"
        yield Finding(("data", "adjacent_slices"), rule, str(data.adjacent_slices))


def _check_augmentation(data: DataSpec) -> Iterator[Finding]:
    for number, transform in enumerate(data.augmentation.transforms):
        if isinstance(transform, Mirror) and max(transform.axes) >= data.spatial_dims:
            at = ("data", "augmentation", "transforms", number, "axes")
            rule = f"must be below {data.spatial_dims}, the number of dimensions"
            yield Finding(at, rule, shown(list(transform.axes)))


def _check_labels(data: DataSpec) -> Iterator[Finding]:
    if data.labels is None:
        return
    if not data.labels:
        yield Finding(("data", "labels"), "must name at least one structure")
    owner: dict[int, str] = {}
    for name, values in data.labels.items():
        at = ("data", "labels", name)
        if name == "background":
            yield Finding(at, "must not be named: what no structure has is background")
        if not values:
            yield Finding(at, "must have at least 1 entries", "[]")
        for number, value in enumerate(values):
            if value <= 0:
                rule = "must be greater than 0, which is background"
                yield Finding((*at, number), rule, str(value))
            elif value in owner:
                rule = f"is already a value of {owner[value]}"
                yield Finding((*at, number), rule, str(value), "give each value to one structure")
            owner.setdefault(value, name)


def _check_split(data: DataSpec) -> Iterator[Finding]:
    split = data.split
    if split.val + split.test >= 1:
        rule = "must leave subjects for training: val + test must be below 1"
        yield Finding(("data", "split", "test"), rule, f"{split.val:g} + {split.test:g}")
    source, target = split.source_subjects, split.target_subjects
    if (source is None) != (target is None):
        missing = "source_subjects" if source is None else "target_subjects"
        yield Finding(("data", "split", missing), "is required where the other side is named")
    for name, subjects in (("source_subjects", source), ("target_subjects", target)):
        for number, subject in enumerate(subjects or ()):
            if subject in (subjects or ())[:number]:
                at = ("data", "split", name, number)
                yield Finding(at, "is given twice", shown(subject), "keep one")
    for number, subject in enumerate(target or ()):
        if subject in (source or ()):
            at = ("data", "split", "target_subjects", number)
            yield Finding(at, "is also a source subject", shown(subject), "keep one")
