"""What runs inside a Tune trial: the training itself, or Ray Train workers that do it together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from ray import tune

from uda_study.engine import cluster
from uda_study.engine.crew import Crew
from uda_study.engine.job import Job
from uda_study.engine.packing import gpus_of
from uda_study.engine.trial import run_trial
from uda_study.study.trial import TrialSpec


class TuneReporter:
    """Reports from the process of a Tune trial."""

    def report(self, step: int, scores: Mapping[str, float]) -> None:
        """Hand the scores to Tune; does not return if the trial is stopped here."""
        tune.report({"step": step, **scores})


def train_in_trial(config: dict[str, Any], job: Job) -> None:
    """Train in the process of the Tune trial."""
    torch.set_num_threads(max(1, int(job.spec.resources.cpu)))
    device = torch.device("cuda" if _gpus(job) and torch.cuda.is_available() else "cpu")
    run_trial(TrialSpec.from_json(config["spec"]), job, TuneReporter(), device)


def train_in_workers(config: dict[str, Any], job: Job) -> None:
    """Train in Ray Train workers; the process of the Tune trial only waits for them."""
    crew = _crews.get(job.study)
    if crew is None or crew.failure:
        crew = _crews[job.study] = Crew.start(job, _gpus(job))
    crew.train(config["spec"], TuneReporter())


# The process of a Tune trial is handed on to the next trial, and its crew with it.
_crews: dict[str, Crew] = {}


def _gpus(job: Job) -> float:
    return gpus_of(job.spec.resources, cluster.machine())
