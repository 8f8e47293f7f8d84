"""Seconds that a training costs beyond its training: ours, ours with a worker, plain Ray.

    python benchmarks/trial_overhead.py [TRIALS]

A study of TRIALS trainings (default 8), each of one step of the smallest network, evaluation,
figures and tracking included; beside it a plain nested Tuner and TorchTrainer that do nothing.
The start of Ray and the preparation of the images are taken off.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import ray
import ray.train
from ray import tune
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from ray.tune.integration.ray_train import TuneReportCallback

from uda_study.engine import cluster
from uda_study.engine.job import Home
from uda_study.engine.run import Options, run_study
from uda_study.engine.setup import prepare_study
from uda_study.study.validate import load_study
from uda_study.tracking.log import MlflowRunLog

STUDY = """\
version: 1
name: overhead
method: dam
matrix: {{direction: [mr->ct], dam.depth: [g2]}}
data: {{dataset: phantom, options: {{subjects: 5, shape: [32, 32, 4], spacing: [7, 7, 14]}}}}
search: {{alg: random, num_samples: {trials}, seed: 0}}
scheduler: {{type: none}}
confirm: {{seeds: [0]}}
baselines: []
resources: {{num_workers: {workers}}}
evaluation: {{every: 1, images: 4}}
parameters:
  optim.lr: {{type: float, low: 1e-5, high: 1e-3, log: true}}
  segmenter.name: dilated_fcn
  segmenter.width: 1
  segmenter.steps: 1
  segmenter.batch_size: 2
  critic.input: pool
  critic.width: 2
  critic.steps: 1
  critic.warm_up: 0
  batch_size: 2
  steps: 1
"""


def ours(folder: Path, trials: int, workers: int) -> float:
    """Return the seconds per training of a study, from the first handed out to the last ended."""
    file = folder / f"overhead{workers}.yaml"
    file.write_text(STUDY.format(trials=trials - 1, workers=workers))
    home = Home(folder / f"home{workers}")
    home.create()
    study = prepare_study(load_study(file, []), home)
    moments: list[float] = []
    run_study(
        study, home, MlflowRunLog(home.path), Options(watch=lambda _: moments.append(time.time()))
    )
    return (moments[-1] - moments[0]) / trials


def _nothing() -> None:
    ray.train.report({"step": 1})


def _nested(config: dict) -> None:
    TorchTrainer(
        _nothing,
        scaling_config=ScalingConfig(num_workers=1, resources_per_worker={"CPU": 0.9}),
        run_config=RunConfig(
            name=f"run{config['x']}",
            storage_path=config["folder"],
            callbacks=[TuneReportCallback()],
        ),
    ).fit()


def plain(folder: Path, trials: int) -> float:
    """Return the seconds per trial of the documented way to put Ray Train into Ray Tune."""
    with cluster.connect():
        started = time.time()
        space = {"x": tune.grid_search(list(range(trials))), "folder": str(folder / "plain")}
        tune.Tuner(
            tune.with_resources(_nested, {"cpu": 0.1}),
            param_space=space,
            run_config=tune.RunConfig(storage_path=str(folder / "plain"), verbose=0),
        ).fit()
        return (time.time() - started) / trials


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "ours, in process": ours(Path(folder), trials, workers=0),
            "ours, one worker": ours(Path(folder), trials, workers=1),
            "plain nested, one worker": plain(Path(folder), trials),
        }
    for name, seconds in found.items():
        ratio = found["plain nested, one worker"] / seconds
        print(f"{name:26} {seconds:6.2f} s per training   {ratio:5.1f} x plain")


if __name__ == "__main__":
    main()
