"""Train a finished training again, to have its model back."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from uda_study.engine.job import Home, Job
from uda_study.engine.journal import JOURNAL, Finished, Journal, Started
from uda_study.engine.lock import alone
from uda_study.engine.retention import MARKER, MODEL
from uda_study.engine.setup import Study
from uda_study.engine.trial import run_trial
from uda_study.errors import InputError, StoreError
from uda_study.study.trial import TrialSpec
from uda_study.training.reporter import MemoryReporter
from uda_study.training.round_trip import predicts_the_same

ASIDE = "retrained"


@dataclass(frozen=True)
class _AsideJob(Job):
    """The study's job with trainings in another folder, so that what is on record stays."""

    def trial_folder(self, key: str) -> Path:
        """Return the folder of one training, by its key."""
        return self.folder / ASIDE / key


def retrain(study: Study, home: Home, key: str, device: torch.device | None = None) -> Path:
    """Train one training again, in this process, and return its folder, which has its model then.

    Its spec holds all settings and seeds, so on the same hardware it ends as it did; its scores on
    record stay. Raises `InputError` for a training that is unknown, not complete or has its model,
    `StoreError` where the new model answers otherwise than the first one did: it is left aside.
    """
    job = _AsideJob(Home(home.path), study.id, study.spec, study.preprocessing, study.data)
    with alone(job.folder):
        spec, folder = _finished(job, key), job.folder / "trials" / key
        if (folder / MODEL).is_dir():
            raise InputError.of(f"training {key}", "has its model", None, "nothing is to be done")
        result = run_trial(spec, job, MemoryReporter(), device or torch.device("cpu"))
        aside = job.trial_folder(key)
        if result.status != "complete":
            raise StoreError(f"training {key}: {result.status} this time: {result.message}")
        if not predicts_the_same(aside / MODEL, folder):
            raise StoreError(
                f"training {key}: its new model does not answer as the first one did, as software "
                f"or hardware are not what they were; it lies in {aside / MODEL}"
            )
        (aside / MODEL).rename(folder / MODEL)
        (folder / MARKER).unlink(missing_ok=True)
        home.mirror.push(folder)
        shutil.rmtree(aside)
    return folder


def _finished(job: Job, key: str) -> TrialSpec:
    specs, complete = {}, set()
    for event in Journal(job.folder / JOURNAL).events():
        if isinstance(event, Started):
            specs[event.spec.key] = event.spec
        elif isinstance(event, Finished) and event.result.status == "complete":
            complete.add(event.result.key)
    if key not in complete:
        rule = "is not one that was trained to its end"
        raise InputError.of(f"training {key}", rule, None, f"study {job.study} has {len(complete)}")
    return specs[key]
