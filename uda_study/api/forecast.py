"""What a study will take: trainings, time and disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from uda_study.engine.disk_space import DiskSpace, disk_space
from uda_study.engine.footprint import sizes
from uda_study.engine.job import Home
from uda_study.engine.setup import Study
from uda_study.study.plan import Plan, plan
from uda_study.training import accelerator

_NO_GPU = "budget.gpu_hours counts nothing on this machine, which has no GPU; budget.time does"


def planned(study: Study, seconds_per_step: Mapping[str, float] | None = None) -> Plan:
    """Return the plan of a study whose images are ready; its time where that of a step is given."""
    task = next(iter(study.data.values())).task
    trained = {cell.method for cell in study.baseline_cells}
    kept = tuple(name for name in study.spec.baselines if name in trained)
    spec = study.spec.model_copy(update={"baselines": kept})
    known = sizes(study.first_trials, task)
    cores, gpus = os.cpu_count() or 1, accelerator.count()
    made = plan(spec, study.cells, seconds_per_step, cores, known, gpus)
    if spec.budget.gpu_hours is not None and not gpus:
        return replace(made, notes=(*made.notes, _NO_GPU))
    return made


def forecast(study: Study, home: Home, made: Plan | None = None) -> DiskSpace | None:
    """Return what the study takes of the home's disk; None for one without trainings.

    ``made`` is its plan, where that is known.
    """
    disk = (made or planned(study)).disk
    return None if disk is None else disk_space(disk, study, home)


def refuse_full(study: Study, home: Home) -> None:
    """Raise `InputError` where the study does not fit the disk, unless it asks for no check."""
    if study.spec.checkpoint.disk_check and (found := forecast(study, home)) is not None:
        found.refuse()
