"""Everything about a study that is known before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from uda_study import plugins
from uda_study.dataset import Preprocessing
from uda_study.engine.checking import refuse_twins
from uda_study.engine.edits import as_extended
from uda_study.engine.halving import Halving
from uda_study.engine.job import Home, load_data, open_dataset
from uda_study.engine.queue import CellWork, WorkQueue
from uda_study.engine.records import git_commit
from uda_study.engine.search import CellSearch
from uda_study.errors import InputError, Problem
from uda_study.method import Method
from uda_study.study.cells import (
    baseline_cells,
    baseline_trials,
    cells,
    confirm_trials,
    num_trials,
    resolve_hyper,
    search_trial,
    study_id,
)
from uda_study.study.checks import Check
from uda_study.study.model import StudySpec
from uda_study.study.rules import RANK_AVERAGE
from uda_study.study.source import SourcedStudy
from uda_study.study.space import space_of
from uda_study.study.trial import Cell, TrialSpec
from uda_study.study.validate import check_directions
from uda_study.training.task_data import TaskData
from uda_study.types import JSON, Task


@dataclass(frozen=True)
class Study:
    """A validated study with its images made ready.

    ``left_out`` names cells that the data cannot support, with the reason; ``warnings`` says what
    somebody should look at; ``checks`` are those of `uda_study.engine.leak_checks`.
    """

    id: str
    spec: StudySpec
    resolved: Mapping[str, JSON]
    text: str
    cells: tuple[Cell, ...]
    baselines: tuple[TrialSpec, ...]
    baseline_cells: tuple[Cell, ...]
    preprocessing: Preprocessing
    data: Mapping[tuple[str, int], TaskData]
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()

    @property
    def all_cells(self) -> tuple[Cell, ...]:
        """The cells that are searched, then those of the baselines."""
        return self.cells + self.baseline_cells

    @property
    def first_trials(self) -> tuple[TrialSpec, ...]:
        """The published setting of every cell, and the baselines."""
        searched = (
            search_trial(self.spec, self.id, cell, 0, space_of(self.spec, cell)[1][0])
            for cell in self.cells
        )
        return (*searched, *self.baselines)

    @property
    def confirmations_per_cell(self) -> int:
        """How many trainings confirm the choice of one cell."""
        confirm = self.spec.confirm
        return confirm.top_k * len(confirm.seeds) * self.spec.data.folds


def prepare_study(
    sourced: SourcedStudy, home: Home, progress: Callable[[int, int], None] | None = None
) -> Study:
    """Read and check the images and lay out all trainings; nothing of the study is written yet.

    A study that was extended here has its longer search, whatever its file says.
    """
    sourced = as_extended(sourced, home)
    spec = sourced.spec
    points = cells(spec)
    directions = sorted({cell.direction for cell in points})
    dataset = open_dataset(spec.data, home)
    cases = dataset.cases()
    check_directions(spec, {case.domain for case in cases}, sourced.where)
    preprocessing, data = load_data(spec.data, dataset, cases, directions, home, progress)
    warnings = refuse_twins(data)
    identity = study_id(sourced.resolved)
    searched, left_out = _supported(points, data)
    if not searched:
        place = sourced.where(("data", "split"))
        raise InputError(Problem(place, reason) for reason in left_out)
    supported, no_baselines = _supported(baseline_cells(spec), data)
    trials = [t for cell in supported for t in baseline_trials(spec, cell, identity)]
    return Study(
        id=identity,
        spec=spec,
        resolved=sourced.resolved,
        text=sourced.text,
        cells=tuple(searched),
        baselines=tuple(trials),
        baseline_cells=tuple(supported),
        preprocessing=preprocessing,
        data=data,
        left_out=(*left_out, *no_baselines),
        warnings=warnings,
        tags=_tags(spec, data),
    )


def build_queue(study: Study) -> WorkQueue:
    """Return the queue of the study's trainings, none of them handed out yet."""
    spec = study.spec
    maximise = spec.mode == "max"
    works = []
    for cell in study.cells:
        space, first = space_of(spec, cell)
        only = search_trial(spec, study.id, cell, 0, first[0])
        steps = own_steps(only, next(iter(study.data.values())).task)
        samples = num_trials(spec, cell)
        works.append(
            CellWork(
                cell=cell,
                search=CellSearch(cell.key, space, spec.search, first, maximise),
                halving=Halving(spec.scheduler, steps, maximise),
                num_samples=samples,
                search_spec=partial(search_trial, spec, study.id),
                confirmations=partial(confirm_trials, spec, study.id),
                pending=None if samples else list(confirm_trials(spec, study.id, cell, [only])),
            )
        )
    blind = [t for t in study.baselines if _method(t.method).needs.target != "labels"]
    labelled = [t for t in study.baselines if _method(t.method).needs.target == "labels"]
    return WorkQueue(works, blind, labelled, spec.metric, spec.confirm.top_k)


def own_steps(trial: TrialSpec, task: Task) -> int:
    """Return how many steps a training does itself, shared stages apart."""
    plugin = _method(trial.method)
    with torch.device("meta"):
        method = plugin(resolve_hyper(plugin, trial.params), task)
        return sum(stage.steps for stage in method.stages() if stage.shared is None)


def _supported(
    candidates: Sequence[Cell], data: Mapping[tuple[str, int], TaskData]
) -> tuple[list[Cell], list[str]]:
    """Leave out what trains on target labels where no labelled case is free of the test set."""
    supported, left_out = [], []
    for cell in candidates:
        splits = [d.split for (direction, _), d in data.items() if direction == str(cell.direction)]
        labelled = _method(cell.method).needs.target == "labels"
        if labelled and not all(split.roles.get("target_bound") for split in splits):
            domain = cell.direction.target
            left_out.append(f"{cell.key}: no labelled {domain} case is outside the test set")
        else:
            supported.append(cell)
    return supported, left_out


def _tags(spec: StudySpec, data: Mapping[tuple[str, int], TaskData]) -> dict[str, str]:
    return {
        "dataset": spec.data.dataset,
        "selection": spec.metric if spec.metric.startswith("oracle/") else RANK_AVERAGE,
        "protocol": ",".join(sorted({d.split.protocol for d in data.values()})),
        "seeds": ",".join(map(str, spec.confirm.seeds)),
        "top_k": str(spec.confirm.top_k),
        "git_commit": git_commit(),
        "data_sha": ",".join(sorted({d.split.sha256[:12] for d in data.values()})),
    }


def _method(name: str) -> type[Method[Any]]:
    return plugins.load("methods", name, Method)
