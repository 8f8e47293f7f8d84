"""What runs inside a Tune trial: the training itself, or Ray Train workers that do it together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from ray import tune

from uda_study.engine.crew import Crew
from uda_study.engine.job import Job
from uda_study.engine.room import Granted
from uda_study.engine.trial import run_trial
from uda_study.study.trial import TrialSpec
from uda_study.training import accelerator


class TuneReporter:
    """Reports from the process of a Tune trial."""

    def report(self, step: int, scores: Mapping[str, float]) -> None:
        """Hand the scores to Tune; does not return if the trial is stopped here."""
        tune.report({"step": step, **scores})


def train_in_trial(config: dict[str, Any], job: Job) -> None:
    """Train in the process of the Tune trial."""
    torch.set_num_threads(max(1, int(job.spec.resources.cpu)))
    granted = Granted(**config["granted"])
    device = accelerator.device(granted.gpu)
    run_trial(TrialSpec.from_json(config["spec"]), job, TuneReporter(), device, granted=granted)


def train_in_workers(config: dict[str, Any], job: Job) -> None:
    """Train in Ray Train workers; the process of the Tune trial only waits for them."""
    crew = _crews.get(job.study)
    if crew is None or crew.failure:
        crew = _crews[job.study] = Crew.start(job, config["granted"]["gpu"])
    crew.train({"spec": config["spec"], "granted": config["granted"]}, TuneReporter())


# The process of a Tune trial is handed on to the next trial, and its crew with it.
_crews: dict[str, Crew] = {}
