"""Measure what the finished trainings of a study lack, without training anything again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Protocol

import pandas as pd
import torch

from uda_study import plugins
from uda_study.engine import records
from uda_study.engine.artifacts import CASES, mean_scores
from uda_study.engine.job import Home, Job
from uda_study.engine.journal import JOURNAL, Finished, Journal, Started
from uda_study.engine.lock import alone
from uda_study.engine.retention import was_dropped
from uda_study.engine.setup import Study
from uda_study.engine.trial import read_result, write_result
from uda_study.errors import InputError, Problem, StoreError
from uda_study.files import write_whole
from uda_study.method import Method
from uda_study.metric import Metric
from uda_study.study.trial import TrialResult, TrialSpec
from uda_study.training.evaluate import Evaluator, Row, evaluated_roles
from uda_study.training.image_metrics import applies
from uda_study.training.package import load_package
from uda_study.training.round_trip import predicts_the_same
from uda_study.training.stage_cache import StageCache


class EvaluationLog(Protocol):
    """Receives what was measured; a repeated call changes nothing."""

    def evaluated(
        self, spec: TrialSpec, step: int, scores: Mapping[str, float], folder: Path
    ) -> None:
        """Note all scores of a training whose files lie in ``folder``."""


@dataclass(frozen=True)
class Wanted:
    """What is to be measured: ``metrics`` by name; ``again`` what there is already as well."""

    metrics: tuple[str, ...]
    again: bool = False
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


@dataclass(frozen=True)
class Evaluated:
    """A training, what was measured on it just now, and what of that came out as NaN.

    ``without_model`` is what it lacks still, since its model was dropped.
    """

    spec: TrialSpec
    measured: tuple[str, ...]
    undefined: tuple[str, ...] = ()
    without_model: tuple[str, ...] = ()


def reevaluate(
    study: Study,
    home: Home,
    log: EvaluationLog,
    wanted: Wanted,
    tell: Callable[[int, int, TrialSpec, Sequence[str]], None],
) -> Iterator[Evaluated]:
    """Measure what each finished training lacks, one after the other.

    The values of a training appear in its per-case table together, or not at all; the log is told
    of all of its scores, so that what an interruption kept from it arrives the next time. ``tell``
    gets the training's number from 1, how many there are, its spec, and what is measured now.
    A training whose model was dropped is passed over. Raises `InputError` where models are missing
    or images have changed, `StoreError` for a model that does not compute what it did.
    """
    job = Job(home, study.id, study.spec, study.preprocessing, study.data)
    with alone(job.folder):
        records.write_study_files(job.folder, study.resolved, study.text, study.data)
        trainings = _finished(job)
        for number, (spec, result) in enumerate(trainings, start=1):
            folder = job.trial_folder(spec.key)
            table = _read(folder / CASES)
            todo = _lacking(spec, table, wanted)
            if todo and was_dropped(folder):
                yield Evaluated(spec, (), without_model=tuple(todo))
                continue
            tell(number, len(trainings), spec, todo)
            undefined: tuple[str, ...] = ()
            if todo:
                rows = pd.DataFrame(
                    [asdict(row) for row in _measure(spec, job, todo, wanted.device)]
                )
                undefined = tuple(
                    n for n in todo if rows[rows["metric"] == n]["value"].isna().all()
                )
                kept = table[~table["metric"].isin(todo)]
                table = pd.concat([kept, rows], ignore_index=True) if len(kept) else rows
                write_whole(folder / CASES, table.to_csv(index=False, lineterminator="\n"))
            scores = mean_scores(table)
            stored = read_result(folder) or result
            complete = replace(stored, scores={**stored.scores, **scores})
            if complete != stored:
                write_result(folder, complete)
            log.evaluated(spec, result.step, scores, folder)
            yield Evaluated(spec, tuple(todo), undefined)


def _finished(job: Job) -> list[tuple[TrialSpec, TrialResult]]:
    """Return the trainings that were trained to their end, in the order in which they ended."""
    specs: dict[str, TrialSpec] = {}
    found: dict[str, tuple[TrialSpec, TrialResult]] = {}
    for event in Journal(job.folder / JOURNAL).events():
        if isinstance(event, Started):
            specs[event.spec.key] = event.spec
        elif isinstance(event, Finished) and event.result.status == "complete":
            found[event.result.key] = specs[event.result.key], event.result
    folders = {key: job.trial_folder(key) for key in found}
    missing = [
        key
        for key, folder in folders.items()
        if not (folder / "model").is_dir() and not was_dropped(folder)
    ]
    if missing:
        raise InputError(
            Problem(f"training {key}", "its model is gone", None, "restore its folder")
            for key in missing
        )
    if not found:
        raise InputError.of(f"study {job.study}", "has no finished training", None, "run it first")
    return list(found.values())


def _lacking(spec: TrialSpec, table: pd.DataFrame, wanted: Wanted) -> list[str]:
    """Return the wanted metrics that the method can have and the table has not."""
    plugin = plugins.load("methods", spec.method, Method)
    known = set() if wanted.again else set(table["metric"])
    return [
        name
        for name in wanted.metrics
        if name not in known and applies(plugins.load("metrics", name, Metric), plugin)
    ]


def _measure(spec: TrialSpec, job: Job, metrics: Sequence[str], device: torch.device) -> list[Row]:
    folder = job.trial_folder(spec.key)
    if not predicts_the_same(folder / "model", folder):
        raise StoreError(
            f"training {spec.key}: its model does not compute what it did when it was trained; "
            "evaluate with the version of uda-study that trained it"
        )
    method, _ = load_package(folder / "model")
    data = job.data[spec.direction, spec.fold]
    cache = StageCache(job.home.cache / "stages")
    evaluator = Evaluator(method.to(device), data, device, job.spec.postprocess, metrics, cache)
    roles, also = evaluated_roles(data)
    rows = []
    for role in roles:
        found = evaluator.rows(role)
        rows += found
        if role in also:
            rows += [replace(row, role=also[role]) for row in found]
    return rows


def _read(path: Path) -> pd.DataFrame:
    """Return the per-case table with every digit of its values; empty if there is none."""
    if not path.exists():
        return pd.DataFrame(columns=list(Row.__dataclass_fields__))
    table = pd.read_csv(path, dtype=str)
    # By way of text, since the reader's own numbers may differ in the last digit.
    return table.assign(value=table["value"].astype(float))
