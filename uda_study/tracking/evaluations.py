"""Values that were measured after a study had ended, added to its runs in MLflow."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from uda_study.errors import InputError
from uda_study.study.trial import TrialSpec
from uda_study.tracking import names
from uda_study.tracking._mlflow import Metric, Run
from uda_study.tracking.artifacts import attach
from uda_study.tracking.events import Event, finite
from uda_study.tracking.place import tracking_uri
from uda_study.tracking.store import open_store, store_errors
from uda_study.tracking.study_runs import search_runs
from uda_study.tracking.writer import Writer

SPOOL = "mlflow-evaluations-spool.jsonl"


class MlflowEvaluationLog:
    """Implements `EvaluationLog`: new scores of trainings, and their files, go to their runs.

    Calls return at once; a thread writes, as for `MlflowRunLog`, to a spool where the tracker
    fails. Raises `InputError` for a study that the tracker does not know.
    """

    def __init__(self, home: Path, study: str, folder: Path, warn: Callable[[str], None]) -> None:
        self._client, self._folder = open_store(home), folder
        with store_errors(tracking_uri(home)):
            experiment = self._client.get_experiment_by_name(study)
            if experiment is None:
                raise InputError.of(
                    f"study {study}", "is not in MLflow", None, "uda-study resume writes it there"
                )
            runs = search_runs(self._client, [experiment.experiment_id])
            self._runs: dict[str, Run] = {
                run.data.tags[names.KEY]: run for run in runs if names.KEY in run.data.tags
            }
        self._warn = warn
        self._writer = Writer(self._write, folder / SPOOL, warn)

    def evaluated(
        self, spec: TrialSpec, step: int, scores: Mapping[str, float], folder: Path
    ) -> None:
        """Note all scores of a training; only those that its run has not are written."""
        kept, _ = finite(scores)
        now = time.time_ns() // 1_000_000
        place = os.path.relpath(folder, self._folder)
        self._writer.put(Event("reported", spec, now, step, scores=kept, folder=place))

    def close(self) -> bool:
        """Write what is left; return whether the tracker has all of it."""
        return self._writer.close()

    def _write(self, events: Sequence[Event]) -> None:
        for event in events:
            run = self._runs.get(event.spec.key)
            if run is None:
                self._warn(f"training {event.spec.key} has no run in MLflow: uda-study resume")
                continue
            known = run.data.metrics
            new = [
                Metric(name, value, event.time, event.step)
                for name, value in event.scores.items()
                if not math.isclose(value, known.get(name, math.nan), rel_tol=1e-12)
            ]
            if new:
                if event.folder is not None:
                    attach(self._client, run, self._folder / event.folder)
                # Last, so that a run that has the scores has the table as well.
                self._client.log_batch(run.info.run_id, new, synchronous=True)
