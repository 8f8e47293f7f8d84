"""A study of which all is real but the training: no Ray and no networks, one training at a time."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import torch

from uda_study.engine import run
from uda_study.engine.job import Job
from uda_study.engine.trial import read_result, write_result
from uda_study.engine.tuning import Foreman, HaltStopper, QueueScheduler, QueueSearcher
from uda_study.study.selection import VALIDATORS
from uda_study.study.trial import TrialResult, TrialSpec
from uda_study.training.checkpoint import CheckpointStore

STEPS = (2, 4, 6, 8)
TRAINED = "trained.jsonl"
"""One line for every step that was trained and for every result, outside of what a study keeps."""


class Trial:
    """What Tune's scheduler is given of a trial."""

    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id


def one_after_another(foreman: Foreman, options: run.Options) -> None:
    """Take the place of Ray Tune: ask for trainings, do them, tell what became of them."""
    searcher, scheduler = QueueSearcher(foreman), QueueScheduler(foreman)
    stopper = HaltStopper(foreman)
    number = 0
    while not stopper.stop_all():
        trial_id = str(number)
        config = searcher.suggest(trial_id)
        if not isinstance(config, dict):
            break
        spec = TrialSpec.from_json(config["spec"])
        try:
            train(spec, foreman.job, _report(scheduler, trial_id, stopper))
        except OSError as error:
            with foreman.at_work():
                foreman.stumble(trial_id, error)
        searcher.on_trial_complete(trial_id)
        number += 1


def _report(
    scheduler: QueueScheduler, trial_id: str, stopper: HaltStopper
) -> Callable[[int, dict[str, float]], bool]:
    def report(step: int, scores: dict[str, float]) -> bool:
        result = {"step": step, "config": {}, **scores}
        decision = scheduler.on_trial_result(None, Trial(trial_id), result)
        return decision == "STOP" or stopper.stop_all()

    return report


def train(spec: TrialSpec, job: Job, report: Callable[[int, dict[str, float]], bool]) -> None:
    """Leave what a real training leaves; its scores are a function of its settings and seed."""
    folder = job.trial_folder(spec.key)
    if read_result(folder) is not None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    checkpoints = CheckpointStore(folder / "checkpoints")
    state = checkpoints.load() or {"step": 0}
    done = int(state["step"])
    if done and report(done, scores_of(spec, done)):
        return
    for step in STEPS:
        if step <= done:
            continue
        _note(job, spec, step)
        checkpoints.save(step, {"step": step, "weights": torch.zeros(1000)})
        if report(step, scores_of(spec, step)):
            return
        if spec.kind == "search" and spec.number == 3 and step == 4:
            write_result(folder, TrialResult(spec.key, "diverged", step, {}, "not finite"))
            return
    _write_cases(folder, spec)
    scores = {**scores_of(spec, STEPS[-1]), "cost/seconds": 10.0 + spec.seed}
    write_result(folder, TrialResult(spec.key, "complete", STEPS[-1], scores))
    _note(job, spec, None)
    checkpoints.clear()


def scores_of(spec: TrialSpec, step: int) -> dict[str, float]:
    rng = random.Random(f"{sorted(spec.params.items())} {spec.seed}")
    best = {name: rng.uniform(0.2, 0.9) for name in ("blind/score", *VALIDATORS, "oracle/dice")}
    return {name: value * step / STEPS[-1] for name, value in best.items()}


def _write_cases(folder: Path, spec: TrialSpec) -> None:
    rng = random.Random(f"cases {sorted(spec.params.items())} {spec.seed}")
    lines = ["case,subject,role,structure,metric,phase,value"]
    for subject in range(4):
        for role in ("target_test", "target_val"):
            for structure in ("box", "core"):
                value = rng.uniform(0.3, 0.9)
                lines.append(f"c{subject},s{subject},{role},{structure},dice,after,{value!r}")
    (folder / "cases.csv").write_text("\n".join(lines) + "\n")


def _note(job: Job, spec: TrialSpec, step: int | None) -> None:
    with (job.home.path / TRAINED).open("a") as file:
        file.write(json.dumps([spec.key, step]) + "\n")
