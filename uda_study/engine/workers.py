"""What runs inside a Tune trial: the training itself, or Ray Train workers that do it together."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import ray
import ray.train
import torch
from ray import tune
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer
from ray.tune.integration.ray_train import TuneReportCallback

from uda_study.engine.job import Job
from uda_study.engine.trial import run_trial
from uda_study.study.trial import TrialSpec
from uda_study.training.ranks import Ranks

# A worker or node that is lost costs at most one checkpoint interval, this many times.
MAX_LOSSES = 3


class TuneReporter:
    """Reports from the process of a Tune trial."""

    def report(self, step: int, scores: Mapping[str, float]) -> None:
        """Hand the scores to Tune; does not return if the trial is stopped here."""
        tune.report({"step": step, **scores})


class TrainReporter:
    """Reports from a Ray Train worker; Tune receives what rank 0 gives."""

    def report(self, step: int, scores: Mapping[str, float]) -> None:
        """Hand the scores to Ray Train; every worker has to call it."""
        ray.train.report({"step": step, **scores})


def train_in_trial(config: dict[str, Any], job: Job) -> None:
    """Train in the process of the Tune trial."""
    _use_threads(job)
    device = torch.device("cuda" if _gpus(job) and torch.cuda.is_available() else "cpu")
    run_trial(TrialSpec.from_json(config["spec"]), job, TuneReporter(), device)


def train_in_workers(config: dict[str, Any], job: Job) -> None:
    """Train in Ray Train workers; the process of the Tune trial only waits for them."""
    resources = job.spec.resources
    spec = TrialSpec.from_json(config["spec"])
    gpus = _gpus(job)
    trainer = TorchTrainer(
        _worker,
        train_loop_config={"spec": config["spec"], "job": job},
        scaling_config=ScalingConfig(
            num_workers=resources.num_workers,
            use_gpu=gpus > 0,
            resources_per_worker={"CPU": resources.cpu, **({"GPU": gpus} if gpus else {})},
        ),
        run_config=RunConfig(
            # Ray Train would take up a run of the same name; ours resume from their own files.
            name=f"{spec.key}-{uuid.uuid4().hex[:8]}",
            storage_path=str(job.folder / "ray"),
            callbacks=[_tell_tune()],
            failure_config=FailureConfig(max_failures=MAX_LOSSES),
        ),
        torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
    )
    trainer.fit()


def _worker(config: dict[str, Any]) -> None:
    job: Job = config["job"]
    _use_threads(job)
    device = ray.train.torch.get_device()
    spec = TrialSpec.from_json(config["spec"])
    run_trial(spec, job, TrainReporter(), device, Ranks.current())


def _tell_tune() -> Any:
    """Return the callback that passes rank 0's reports on to Tune."""
    return TuneReportCallback()


def gpus_per_process(job_gpu: float | str, available: float) -> float:
    """Return the GPUs of one process: what the study asks for, or one if there are any."""
    if job_gpu == "auto":
        return 1.0 if available else 0.0
    return float(job_gpu)


def _gpus(job: Job) -> float:
    available = ray.cluster_resources().get("GPU", 0.0)
    return gpus_per_process(job.spec.resources.gpu, available)


def _use_threads(job: Job) -> None:
    torch.set_num_threads(max(1, int(job.spec.resources.cpu)))
