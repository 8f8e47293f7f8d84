"""Drop the models of search trials that are not among the best of their cell."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from uda_study.engine.job import Job
from uda_study.engine.queue import WorkQueue
from uda_study.errors import Problem
from uda_study.files import write_whole
from uda_study.mirror import Mirror
from uda_study.study.retention import OPEN_SHARE, beyond
from uda_study.study.runlog import RunLog
from uda_study.study.trial import TrialSpec

MODEL, MARKER = "model", "model-dropped.json"


def drop_models(job: Job, queue: WorkQueue, log: RunLog, cell: str, gone: set[str]) -> None:
    """Drop what ``checkpoint.study_top_k`` does not keep of the trials of a cell that have ended.

    While the cell is searched, twice as many stay. Scores, cases and curves stay in any case;
    confirmations and baselines, and so their cells, keep their models. ``gone`` collects the keys
    of those known to have none, so that a long search does not look at all folders at every end.
    """
    keep, work = job.spec.checkpoint.study_top_k, queue.cells.get(cell)
    if keep is None or work is None:
        return
    if not work.searched:
        keep *= OPEN_SHARE
    for key in beyond(queue.specs, queue.results, cell, queue.metric, keep):
        if key in gone:
            continue
        folder = job.trial_folder(key)
        if (folder / MODEL).is_dir():
            drop_model(folder, job.home.mirror)
            log.model_dropped(queue.specs[key], folder)
        gone.add(key)


def drop_model(folder: Path, mirror: Mirror) -> None:
    """Remove the model of the training of this folder, here and where machines share it.

    What is left says so, so that a model that was lost otherwise is not taken for one.
    """
    write_whole(folder / MARKER, json.dumps({"dropped": "checkpoint.study_top_k"}) + "\n")
    shutil.rmtree(folder / MODEL, ignore_errors=True)
    # The manifest first: a folder whose manifest names files that are gone cannot be fetched.
    mirror.push(folder)
    mirror.drop(folder / MODEL)


def was_dropped(folder: Path) -> bool:
    """Tell whether the model of the training of this folder was dropped on purpose."""
    return (folder / MARKER).is_file() and not (folder / MODEL).is_dir()


def tell_dropped(log: RunLog, spec: TrialSpec, folder: Path) -> None:
    """Tell the log again of a model that an earlier run has dropped."""
    if was_dropped(folder):
        log.model_dropped(spec, folder)


def no_model(study: str, key: str, folder: Path) -> Problem:
    """Return what to say of a training of which ``folder`` has no model."""
    if not was_dropped(folder):
        return Problem(f"training {key}", "has no model", None, "restore its folder")
    return Problem(
        f"training {key}",
        "its model was dropped, as it is not among the best of its search",
        None,
        f"uda-study retrain {study} {key} trains it again; checkpoint.study_top_k keeps more",
    )
