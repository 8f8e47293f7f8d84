"""What a check of images looks at: the cases of a study with its splits, or those of a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from uda_study.data.check import Check, check_cases, twins_in_play
from uda_study.data.remarks import Remark
from uda_study.data.splits import make_split
from uda_study.engine.job import Home, open_dataset, preprocessing_of
from uda_study.errors import InputError, Problem
from uda_study.study.cells import cells
from uda_study.study.data_section import check_data
from uda_study.study.model import DataSpec, StudySpec
from uda_study.study.overrides import apply, fields_at
from uda_study.study.schema_errors import build
from uda_study.study.validate import check_directions, load_study
from uda_study.study.yaml_places import Document, KeyPath, Place, dotted
from uda_study.training.task_data import TaskData
from uda_study.types import Split

Progress = Callable[[int, int], None] | None

_MANIFEST = "manifest.csv"


@dataclass(frozen=True, eq=False)
class Checked:
    """The check with what it was of; ``study`` is None for a folder."""

    check: Check
    dataset: str
    study: str | None = None
    directions: tuple[str, ...] = ()


def check_study(
    file: Path, settings: Sequence[str], home: Home, progress: Progress = None
) -> Checked:
    """Check the images of the domains that a study is about, with its splits.

    Raises `InputError` where the file or the dataset's layout is wrong; what is wrong with single
    cases or with the splits is in the check.
    """
    sourced = load_study(file, settings)
    spec = sourced.spec
    directions = sorted({cell.direction for cell in cells(spec)})
    dataset = open_dataset(spec.data, home)
    cases = dataset.cases()
    check_directions(spec, {case.domain for case in cases}, sourced.where)
    splits: list[Split] = []
    problems: dict[Problem, None] = {}
    for direction in directions:
        for fold in range(spec.data.folds):
            try:
                splits.append(make_split(cases, direction, spec.data.split, fold, spec.data.folds))
            except InputError as error:
                problems |= dict.fromkeys(error.problems)
    wanted = {domain for d in directions for domain in (d.source, d.target)}
    in_play = [case for case in cases if case.domain in wanted]
    found = check_cases(in_play, preprocessing_of(spec.data, dataset), splits, progress)
    of_splits = tuple(Remark((), "case", problem, True) for problem in problems)
    check = Check(found.cases, (*of_splits, *found.remarks), found.structures)
    return Checked(check, spec.data.dataset, spec.name, tuple(map(str, directions)))


def check_folder(
    root: Path,
    dataset: str | None,
    settings: Sequence[str],
    home: Home,
    progress: Progress = None,
) -> Checked:
    """Check all images below a folder; without a name it is read by its ``manifest.csv``.

    ``settings`` are those of a study file, such as ``data.labels={tumour: [1, 2]}``. Raises
    `InputError` as `check_study` does.
    """
    if dataset is None:
        if not (root / _MANIFEST).is_file():
            raise InputError.of(
                str(root), f"has no {_MANIFEST}", None, "name what lies there with --dataset"
            )
        dataset = "manifest"
    data = _data_section(root, dataset, settings)
    opened = open_dataset(data, home)
    cases = opened.cases()
    return Checked(check_cases(cases, preprocessing_of(data, opened), (), progress), dataset)


def refuse_twins(data: Mapping[tuple[str, int], TaskData]) -> tuple[str, ...]:
    """Raise `InputError` for images that leak from training into a test; return the warnings.

    Looks at the cases that have a role in a split, and at no label.
    """
    prepared = next(iter(data.values())).prepared
    remarks = twins_in_play(prepared, [one.split for one in data.values()])
    problems = [remark.problem for remark in remarks if remark.fatal]
    if problems:
        raise InputError(problems)
    return tuple(str(remark.problem) for remark in remarks)


def _data_section(root: Path, dataset: str, settings: Sequence[str]) -> DataSpec:
    """Return the section of a study file that the command line stands for."""
    given: KeyPath = ("data",)
    written = Document(
        {"name": "check", "method": "no_adaptation", "data": {"dataset": dataset}},
        {(): Place(0, ""), given: Place(0, ""), (*given, "dataset"): Place(0, "--dataset")},
    )
    document = apply(written, settings)
    values = document.mapping()
    section = values["data"]
    if isinstance(section, dict):
        section["root"] = str(root.absolute())
    spec = build(StudySpec, values, fields_at)
    findings = list(document.findings)
    findings += list(check_data(spec)) if isinstance(spec, StudySpec) else spec
    if findings or not isinstance(spec, StudySpec):
        raise InputError(Problem(dotted(f.at), f.rule, f.value, f.remedy) for f in findings)
    return spec.data
