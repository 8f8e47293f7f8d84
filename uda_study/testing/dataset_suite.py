"""What every dataset promises, as checks that take the dataset and raise AssertionError."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from uda_study.data.labels import LabelReader
from uda_study.data.prepare import prepare
from uda_study.dataset import Dataset, DatasetInfo, Preprocessing

AnyDataset = Dataset[Any]


def check_ids_are_unique(dataset: AnyDataset) -> None:
    """Ids tell cases apart and are usable as file names."""
    ids = Counter(case.id for case in dataset.cases())
    repeated = [name for name, count in ids.items() if count > 1]
    assert not repeated, f"ids occur more than once: {repeated}"
    unusable = [name for name in ids if not name or Path(name).name != name]
    assert not unusable, f"ids cannot be file names: {unusable}"


def check_cases_are_ordered(dataset: AnyDataset) -> None:
    """Two calls return the same cases in the same order."""
    assert list(dataset.cases()) == list(dataset.cases())


def check_files_exist(dataset: AnyDataset) -> None:
    """Every image, label and mask of every case is a file."""
    for case in dataset.cases():
        assert case.images, f"{case.id} has no image"
        for path in (*case.images, *case.labels, *([case.mask] if case.mask else [])):
            assert path.exists(), f"{case.id}: {path} is missing"


def check_subjects_and_domains(dataset: AnyDataset) -> None:
    """Every case names its subject and a domain that a direction can name."""
    cases = dataset.cases()
    assert all(case.subject for case in cases), "a case names no subject"
    domains = {case.domain for case in cases}
    assert all(domains), "a case names no domain"
    assert not any("->" in domain for domain in domains), "a domain holds '->'"


def check_channels_agree(dataset: AnyDataset) -> None:
    """All cases have the same number of channels."""
    assert len({len(case.images) for case in dataset.cases()}) == 1


def check_preset(dataset: AnyDataset) -> None:
    """Structures are named, no label value belongs to two, and the preset survives JSON."""
    preset = dataset.preprocessing()
    assert preset.class_names[0] == "background"
    assert len(preset.class_names) >= 2, "the preset names no structure"
    values = [value for named in preset.labels.values() for value in named]
    assert len(values) == len(set(values)), "a label value belongs to two structures"
    assert Preprocessing.model_validate_json(preset.model_dump_json()) == preset


def check_info(dataset: AnyDataset) -> None:
    """All that is printed of the dataset is there and serialisable."""
    values = json.loads(dataset.info.model_dump_json())
    assert DatasetInfo.model_validate(values) == dataset.info
    assert all(values.values()), f"empty: {[name for name, value in values.items() if not value]}"


def check_first_case_prepares(dataset: AnyDataset, cache: Path) -> None:
    """Arrays of the first labelled case are finite, its labels classes of the preset."""
    case = next(case for case in dataset.cases() if case.label is not None)
    preset = dataset.preprocessing()
    prepared = prepare([case], preset, cache)[case.id]
    assert np.isfinite(prepared.image).all()
    assert prepared.image.shape == (len(case.images), *prepared.grid.shape)
    assert prepared.mask.any()
    label = LabelReader([case.id], "the contract suite").read(prepared)
    assert 0 < int(label.max()) < len(preset.class_names)


CHECKS = (
    check_ids_are_unique,
    check_cases_are_ordered,
    check_files_exist,
    check_subjects_and_domains,
    check_channels_agree,
    check_preset,
    check_info,
)
"""All checks that take the dataset alone; `check_first_case_prepares` needs a cache folder too."""
