"""The run log of a study, kept in MLflow."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from uda_study import plugins
from uda_study.errors import UdaStudyError
from uda_study.method import Method
from uda_study.study.runlog import StudyStatus
from uda_study.study.trial import Cell, TrialResult, TrialSpec
from uda_study.tracking import names
from uda_study.tracking.events import Event, finite
from uda_study.tracking.place import artifact_location, tracking_uri
from uda_study.tracking.store import open_store, store_errors
from uda_study.tracking.study_runs import StudyRuns, find_or_make_experiment
from uda_study.tracking.writer import SPOOL, Writer
from uda_study.types import JSON

_LOGGER = logging.getLogger("uda_study")


def supervision_of(method: str) -> str:
    """Return what the method reads of the target domain: none, images or labels."""
    plugin: type[Method[Any]] = plugins.load("methods", method, Method)
    return plugin.needs.target


class MlflowRunLog:
    """Implements `RunLog`: an experiment per study, a run per cell, its trainings nested below.

    Calls return at once; a thread writes. When the tracker fails for good, what it missed is kept
    in the study's folder and written at the next start; ``warn`` is told.
    """

    def __init__(
        self,
        home: Path,
        *,
        supervision: Callable[[str], str] = supervision_of,
        warn: Callable[[str], None] = _LOGGER.warning,
    ) -> None:
        self._home, self._supervision, self._warn = home, supervision, warn
        self._folder = Path()
        self._runs: StudyRuns | None = None
        self._writer: Writer | None = None

    def open(
        self, study: str, folder: Path, cells: Sequence[Cell], tags: Mapping[str, str]
    ) -> None:
        """Start or continue the study; raises `InputError` or `StoreError` if nothing can be kept.

        ``tags`` hold for all runs: ``dataset``, ``selection``, ``protocol``, ``seeds`` (those of
        the confirmations, joined by commas), ``git_commit``, ``data_sha``.
        """
        client = open_store(self._home)
        location = artifact_location(self._home, study)
        with store_errors(tracking_uri(self._home)):
            experiment = find_or_make_experiment(client, study, location)
            self._runs = StudyRuns(
                client,
                experiment,
                folder,
                cells,
                tags=names.study_tags(study, tags),
                supervision=self._supervision,
            )
            self._runs.begin()
        self._folder = folder
        self._writer = Writer(self._runs.write, folder / SPOOL, self._warn)

    def trial_started(self, spec: TrialSpec, params: Mapping[str, JSON]) -> None:
        """Note that a training runs, with all its hyperparameters (dotted, defaults included)."""
        self._put(Event("started", spec, _now(), params=dict(params)))

    def trial_reported(self, spec: TrialSpec, step: int, scores: Mapping[str, float]) -> None:
        """Note scores at a step; repeats of a step change nothing."""
        kept, dropped = finite(scores)
        self._put(Event("reported", spec, _now(), step, scores=kept, dropped=dropped))

    def trial_finished(self, spec: TrialSpec, result: TrialResult, folder: Path) -> None:
        """Note the end of a training whose artifacts lie in ``folder``."""
        kept, dropped = finite(result.scores)
        self._put(
            Event(
                "finished", spec, _now(), result.step, scores=kept, dropped=dropped,
                status=result.status, message=result.message,
                folder=os.path.relpath(folder, self._folder),
            )
        )  # fmt: skip

    def model_dropped(self, spec: TrialSpec, folder: Path) -> None:
        """Note that the model of a finished training is kept no longer; its scores are."""
        self._put(Event("dropped", spec, _now(), folder=os.path.relpath(folder, self._folder)))

    def close(self, status: StudyStatus) -> None:
        """Write what is left; runs that did not finish are marked killed."""
        if self._writer is None or self._runs is None:
            return
        writer, self._writer = self._writer, None
        if not writer.close():
            return
        try:
            with store_errors(tracking_uri(self._home)):
                self._runs.end(status)
        except (UdaStudyError, OSError) as error:
            self._warn(f"MLflow was not told how the study ended: {error}")

    def _put(self, event: Event) -> None:
        if self._writer is None:
            raise UdaStudyError("the run log was used before open() or after close()")
        self._writer.put(event)


def _now() -> int:
    return time.time_ns() // 1_000_000
