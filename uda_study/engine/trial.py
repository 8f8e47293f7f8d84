"""One training from its spec to its files, the same in Ray Train workers, in Tune and in tests."""

from __future__ import annotations

import json
import time
import traceback
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from uda_study import plugins
from uda_study.data.labels import counted_labels
from uda_study.data.prepare import PreparedCase
from uda_study.engine.artifacts import write_artifacts
from uda_study.engine.disk import is_full
from uda_study.engine.job import Job
from uda_study.engine.label_access import by_role, write_access
from uda_study.engine.memory_costs import MOST_PARTS, Told, relieved
from uda_study.engine.placement import note_place
from uda_study.engine.room import Granted
from uda_study.engine.shared_images import fetch_images
from uda_study.engine.style_pictures import write_styles
from uda_study.errors import Diverged, OutOfMemory
from uda_study.files import write_whole
from uda_study.method import Batch, Criticises, Method, RendersStyles
from uda_study.study.cells import resolve_hyper
from uda_study.study.trial import TrialResult, TrialSpec
from uda_study.training import accelerator
from uda_study.training.blind import Anchors, BlindScorer
from uda_study.training.checkpoint import CHECKPOINTS, CheckpointStore
from uda_study.training.evaluate import Evaluator, evaluated_roles, measured_metrics
from uda_study.training.package import ModelConfig, save_package
from uda_study.training.ranks import Ranks
from uda_study.training.reporter import Reporter
from uda_study.training.round_trip import write_fingerprint
from uda_study.training.stage_cache import StageCache, code_sha, stage_key
from uda_study.training.step import Precision, derive_seed
from uda_study.training.task_data import Batches, TaskData
from uda_study.training.trainer import Record, Settings, Trainer, Workplace

RESULT, ERROR = "result.json", "error.txt"


def run_trial(
    spec: TrialSpec,
    job: Job,
    reporter: Reporter,
    device: torch.device,
    ranks: Ranks | None = None,
    granted: Granted = Granted(gpu=1.0),  # noqa: B008 - it is frozen
) -> TrialResult:
    """Train, evaluate and write the files of one training; every rank calls it.

    A training that was finished before returns its stored result. Errors other than divergence
    are written down as a failed result and returned: they are bugs that no retry would cure.
    """
    ranks = ranks or Ranks()
    folder, mirror = job.trial_folder(spec.key), job.home.mirror
    known = _known(spec, job, ranks)
    if known is not None:
        return known
    folder.mkdir(parents=True, exist_ok=True)
    accelerator.release(device)
    note_place(folder, ranks.rank)
    started = time.monotonic()
    told = Told(reporter, device, granted)
    try:
        told.begin()
        fetch_images(job, spec)
        with counted_labels() as opened:
            training, record = _train(spec, job, told, device, ranks)
            scores = {}
            if ranks.leads:
                finish = partial(training.finish, record, folder)
                scores = relieved(finish, "the evaluation", device) | told.costs()
        if ranks.leads:
            write_access(folder, by_role(opened, training.data.split))
        scores["cost/seconds"] = time.monotonic() - started
        result = TrialResult(spec.key, "complete", record.step, scores)
    except Diverged as error:
        result = TrialResult(spec.key, "diverged", error.step, {}, str(error))
    except Exception as error:
        if is_full(error):
            raise  # no fault of the training; its checkpoints are of use once there is room
        (folder / ERROR).write_text(traceback.format_exc())
        result = TrialResult(
            spec.key, "failed", 0, told.lack(error), f"{type(error).__name__}: {error}"
        )
        if ranks.size > 1:
            # The other ranks wait in vain: whoever started them ends them all. What is wrong with
            # a rank whose peer was lost is only that.
            if not _is_lost_peer(error):
                write_result(folder, result)
                mirror.push(folder)
            raise
    if ranks.leads:
        if result.status != "failed":
            (folder / ERROR).unlink(missing_ok=True)
        write_result(folder, result)
        mirror.push(folder)
        CheckpointStore(folder / CHECKPOINTS, mirror=mirror).clear()
    return result


def _known(spec: TrialSpec, job: Job, ranks: Ranks) -> TrialResult | None:
    """Return the result of a training that was finished before; that of a failed one is removed."""
    folder, mirror = job.trial_folder(spec.key), job.home.mirror
    if ranks.leads:
        mirror.pull(folder)
    stored = read_result(folder)
    # Ranks on other machines may not have the folder of the first.
    if ranks.agree(stored is not None and stored.status != "failed"):
        if ranks.leads:
            mirror.push(folder)
        return stored or TrialResult(spec.key, "complete", 0, {})
    if ranks.leads and stored is not None:
        # Should this one be cut off, it has no result, rather than that of the failed one before.
        (folder / RESULT).unlink()
        mirror.push(folder)
    return None


def _train(
    spec: TrialSpec, job: Job, told: Told, device: torch.device, ranks: Ranks
) -> tuple[_Training, Record]:
    """Train; where the GPU does not hold a batch, go on from the newest checkpoint in more parts.

    Every rank comes to the same answer, because `OutOfMemory` reaches all of them at once.
    """
    while True:
        try:
            training = _Training(spec, job, told, device, ranks)
            return training, training.run()
        except OutOfMemory as error:
            if not error.divisible or told.parts >= MOST_PARTS:
                raise
        # Only here, past the handler, is nothing of the training held any more.
        del training
        told.parts *= 2
        accelerator.release(device)


def _is_lost_peer(error: Exception) -> bool:
    """Tell an error of the process group, such as a peer that died, from one of the training."""
    backends = ("gloo", "nccl", "connection closed by peer", "connection reset by peer")
    text = str(error).lower()
    return isinstance(error, dist.DistError) or any(name in text for name in backends)


def read_result(folder: Path) -> TrialResult | None:
    """Return the result that a finished training left, or None."""
    try:
        result = TrialResult(**json.loads((folder / RESULT).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return result if result.key == folder.name else None  # of another training


def write_result(folder: Path, result: TrialResult) -> None:
    """Write the result; it is there whole or not at all."""
    write_whole(folder / RESULT, json.dumps(asdict(result), indent=1))


class _Training:
    """A method, its data and its trainer, put together from a spec."""

    def __init__(
        self, spec: TrialSpec, job: Job, told: Told, device: torch.device, ranks: Ranks
    ) -> None:
        self.spec, self.job, self.device = spec, job, device
        self.data: TaskData = job.data[spec.direction, spec.fold]
        plugin = plugins.load("methods", spec.method, Method)
        torch.manual_seed(derive_seed(spec.seed, "weights"))
        self.method: Method[Any] = plugin(resolve_hyper(plugin, spec.params), self.data.task)
        self.cache = StageCache(job.home.cache / "stages", job.home.mirror)
        own = sum(stage.steps for stage in self.method.stages() if stage.shared is None)
        settings = Settings(
            seed=spec.seed,
            report_every=job.spec.evaluation.every or max(1, own // 5),
            precision=_precision(job.spec.resources.precision, device),
            parts=told.parts,
            device=device,
        )
        checkpoints = CheckpointStore(
            job.trial_folder(spec.key) / CHECKPOINTS,
            job.spec.checkpoint.num_to_keep,
            job.home.mirror,
        )
        self.trainer = Trainer(
            self.method,
            self.data,
            settings,
            Workplace(self.cache, checkpoints, told, ranks),
            self._score,
        )
        self.scorer = BlindScorer(
            self.method, self.data, device, job.spec.evaluation.images, spec.seed
        )
        self._anchors: Anchors | None = None
        self._critic_batch: Batch | None = None
        self._is_ready = False

    def run(self) -> Record:
        """Train all stages."""
        return self.trainer.train()

    def finish(self, record: Record, folder: Path) -> dict[str, float]:
        """Evaluate, write the model and the artifacts, and return all scores."""
        metrics = measured_metrics(self.job.spec.evaluation.metrics)
        evaluator = Evaluator(
            self.method, self.data, self.device, self.job.spec.postprocess, metrics, self.cache
        )
        started = time.monotonic()
        roles, also = evaluated_roles(self.data)
        outcomes = {role: evaluator.outcomes(role) for role in roles}
        scores = dict(record.scores)
        scores |= write_artifacts(folder, record, outcomes, self.data.task.class_names, also)
        if isinstance(self.method, RendersStyles):
            picture = folder / "styles.png"
            write_styles(picture, self.method, self.data, self.device, self.spec.seed)
        scores["cost/evaluation_seconds"] = time.monotonic() - started
        scores["cost/training_seconds"] = sum(record.seconds.values())
        scores["cost/shared_stages_trained"] = float(len(record.trained_shared))
        shared = (record.seconds.get(name, 0.0) for name in record.trained_shared)
        scores["cost/shared_seconds"] = sum(shared)
        save_package(folder / "model", self.method, self._config())
        write_fingerprint(self.method, folder)
        return scores

    def _score(self, step: int) -> dict[str, float]:
        if not self._is_ready:
            # Not before the first report: a resumed or shared stage brings its weights late.
            self._anchors = self._find_anchors()
            self._critic_batch = self._draw_critic_batch()
            self._is_ready = True
        scores = partial(self.scorer.scores, self._anchors, self._critic_batch, step)
        return relieved(scores, "the scoring of images", self.device)

    def _draw_critic_batch(self) -> Batch | None:
        own = [stage for stage in self.method.stages() if stage.shared is None]
        if not own or not isinstance(self.method, Criticises):
            return None
        probe = replace(own[-1], name="probe", augmentation="none")
        batches = Batches(self.data.sampler(probe, self.spec.seed), probe, Ranks(), self.device)
        try:
            return batches()
        finally:
            batches.close()

    def _find_anchors(self) -> Anchors | None:
        shared = [stage for stage in self.method.stages() if stage.shared is not None]
        if not shared:
            return self.scorer.anchors()
        facts = {
            "source": stage_key(self.trainer.shared_facts(shared[0])),
            "target": _hashes(self.data.cases("target_adapt")),
            "validation": _hashes(self.data.cases("source_val")),
            "images": self.scorer.images,
            "validators": [code_sha(("validators",)), *plugins.names("validators")],
        }
        path = self.cache.folder / "anchors" / f"{stage_key(facts)}.json"  # type: ignore[arg-type]
        return Anchors.cached(path, self.scorer.anchors)

    def _config(self) -> ModelConfig:
        return ModelConfig(
            method=self.spec.method,
            hyper=self.method.hyper.model_dump(mode="json"),
            task=self.data.task,
            adjacent_slices=self.data.adjacent_slices,
            preprocessing=self.job.preprocessing,
            postprocess=self.job.spec.postprocess,
            direction=self.spec.direction,
            study=self.spec.study,
            trial=self.spec.key,
        )


def _hashes(cases: list[PreparedCase]) -> list[str]:
    return [prepared.sha256 for prepared in cases]


def _precision(wanted: str, device: torch.device) -> Precision:
    if wanted == "auto":
        capable = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return "bf16" if capable else "fp32"
    return "bf16" if wanted == "bf16" else "fp32"
