"""The runs of one study in MLflow: found again by key, never made twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

from uda_study.errors import InputError
from uda_study.study.runlog import StudyStatus
from uda_study.study.trial import Cell, TrialSpec
from uda_study.tracking import names
from uda_study.tracking._mlflow import (
    Metric,
    MlflowClient,
    MlflowException,
    Param,
    Run,
    RunTag,
)
from uda_study.tracking.artifacts import attach, attach_files, drop_model
from uda_study.tracking.events import Event
from uda_study.tracking.place import local_folder

STUDY_FILES = ("study.yaml", "environment.txt", "data.json", "checks.json")
ERROR = "error.txt"
PAGE = 1000
_MOST_METRICS, _MOST_OTHERS = 800, 90
T = TypeVar("T")
_ENDS: Mapping[StudyStatus, str] = {"complete": "FINISHED", "failed": "FAILED"}


@dataclass
class _Known:
    """A training's run, its state in MLflow, and the steps it has of each metric."""

    run: Run
    state: str
    status: str | None
    params: set[str]
    found: bool
    steps: dict[str, set[int]] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        return str(self.run.info.run_id)


class StudyRuns:
    """Writes a study's cells and trainings as runs of one experiment."""

    def __init__(
        self,
        client: MlflowClient,
        experiment: str,
        folder: Path,
        cells: Sequence[Cell],
        *,
        tags: Mapping[str, str],
        supervision: Callable[[str], str],
    ) -> None:
        self._client, self._experiment, self._folder = client, experiment, folder
        self._cells = {cell.key: cell for cell in cells}
        self._tags, self._supervision = tags, supervision
        self._trials: dict[str, _Known] = {}
        self._parents: dict[str, Run] = {}
        self._stale = True

    def begin(self) -> None:
        """Make the cells' runs and mark trainings killed whose process died without a word."""
        self._load()
        for known in self._trials.values():
            if known.state == "RUNNING":
                self._end(known, "KILLED", None)
        for cell in self._cells.values():
            self._parent(cell.key, names.cell_tags(cell))

    def write(self, events: Sequence[Event]) -> None:
        """Write the events in order; repeating them changes nothing."""
        try:
            if self._stale:
                # After a failure it is unknown what arrived: look, so that no run is made twice.
                self._load()
            waiting: dict[str, list[Event]] = {}
            for event in events:
                if event.kind == "reported":
                    waiting.setdefault(event.spec.key, []).append(event)
                    continue
                self._report(waiting.pop(event.spec.key, []))
                if event.kind == "started":
                    self._start(event)
                elif event.kind == "dropped":
                    self._drop(event)
                else:
                    self._finish(event)
            for reports in waiting.values():
                self._report(reports)
        except BaseException:
            self._stale = True
            raise

    def end(self, status: StudyStatus) -> None:
        """Mark what still runs as killed, and the cells by how the study ended."""
        for known in self._trials.values():
            if known.state == "RUNNING":
                self._end(known, "KILLED", None)
        for run in self._parents.values():
            self._client.set_tag(run.info.run_id, names.STATUS, status)
            self._client.set_terminated(run.info.run_id, _ENDS.get(status, "KILLED"))

    def _load(self) -> None:
        self._trials, self._parents = {}, {}
        for run in search_runs(self._client, [self._experiment]):
            tags, data = run.data.tags, run.data
            if names.KEY in tags:
                self._trials[tags[names.KEY]] = _Known(
                    run, run.info.status, tags.get(names.STATUS), set(data.params), found=True,
                    dropped=set(filter(None, tags.get(names.NONFINITE, "").split(","))),
                )  # fmt: skip
            elif tags.get(names.KIND) == names.CELL_KIND:
                self._parents[tags[names.CELL]] = run
        self._stale = False

    def _parent(self, cell: str, tags: Mapping[str, str]) -> Run:
        """Return the cell's run, made or brought up to date on its first use in this process."""
        tags = {**self._tags, **tags, names.STATUS: "running"}
        files = [self._folder / n for n in STUDY_FILES if (self._folder / n).is_file()]
        stamp = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
        run = self._parents.get(cell)
        if run is None:
            run = self._client.create_run(self._experiment, tags=tags, run_name=cell)
        elif run.info.status != "RUNNING":
            self._client.update_run(run.info.run_id, status="RUNNING")
        if run.data.tags.get(names.FILES) != stamp:
            attach_files(self._client, run, files)
        self._log(run.info.run_id, tags={**tags, names.FILES: stamp})
        self._parents[cell] = run
        return run

    def _trial(self, event: Event) -> _Known:
        spec = event.spec
        known = self._trials.get(spec.key)
        if known is None:
            run = self._client.create_run(
                self._experiment,
                start_time=event.time,
                tags=self._trial_tags(spec),
                run_name=names.run_name(spec),
            )
            known = _Known(run, "RUNNING", None, set(), found=False)
            self._trials[spec.key] = known
        return known

    def _trial_tags(self, spec: TrialSpec) -> dict[str, str]:
        cell = self._cells.get(spec.cell)
        supervision = self._supervision(spec.method)
        tags = names.trial_tags(spec, cell.factors if cell else {}, supervision)
        parent = self._parents.get(spec.cell)
        if parent is None:
            own = {k: tags[k] for k in (names.CELL, "uda.method", "uda.direction", "uda.factors")}
            parent = self._parent(spec.cell, {**own, names.KIND: names.CELL_KIND})
        return {**self._tags, **tags, names.PARENT: parent.info.run_id}

    def _start(self, event: Event) -> None:
        known = self._trial(event)
        if known.state in ("KILLED", "FAILED"):
            self._client.update_run(known.id, status="RUNNING")
            known.state, known.status = "RUNNING", None
        new = {n: names.encode(v) for n, v in event.params.items() if n not in known.params}
        self._log(known.id, params=new)
        known.params |= set(new)

    def _report(self, events: Sequence[Event]) -> None:
        if not events:
            return
        known = self._trial(events[0])
        if known.found and known.status is not None and events[0].kind == "reported":
            return  # it has ended, after all of its reports: a resumed study repeats itself
        new: dict[tuple[str, int], Metric] = {}
        for event in events:
            for name, value in event.scores.items():
                if event.step not in self._steps(known, name):
                    metric = Metric(name, value, event.time, event.step)
                    new.setdefault((name, event.step), metric)
        dropped = known.dropped.union(*(event.dropped for event in events))
        tags = {names.NONFINITE: ",".join(sorted(dropped))} if dropped != known.dropped else {}
        self._log(known.id, metrics=list(new.values()), tags=tags)
        known.dropped = dropped
        for name, step in new:
            known.steps[name].add(step)

    def _steps(self, known: _Known, name: str) -> set[int]:
        """Return the steps that a metric has; of a run found again the store is asked, once."""
        if name not in known.steps:
            history = self._client.get_metric_history(known.id, name) if known.found else []
            known.steps[name] = {metric.step for metric in history}
        return known.steps[name]

    def _finish(self, event: Event) -> None:
        known, status = self._trial(event), event.status
        if known.state == names.RUN_STATUS.get(str(status), "FAILED") and known.status == status:
            return
        self._report([event])
        tags = {names.STATUS: str(status)}
        if event.message:
            tags[names.MESSAGE] = names.clip(names.redact(event.message))
        elif known.run.data.tags.get(names.MESSAGE):
            tags[names.MESSAGE] = ""  # an earlier attempt had failed
        self._log(known.id, tags=tags)
        known.status = str(status)
        if event.folder is not None and (self._folder / event.folder).is_dir():
            attach(self._client, known.run, self._folder / event.folder)
            if event.status != "failed":
                _drop_error(known.run)
        # Last, so that a run that says it has ended has all its files.
        self._end(known, names.RUN_STATUS.get(str(status), "FAILED"), event.time)

    def _drop(self, event: Event) -> None:
        known = self._trial(event)
        if known.run.data.tags.get(names.MODEL) != names.DROPPED:
            self._log(known.id, tags={names.MODEL: drop_model(self._client, known.run)})

    def _end(self, known: _Known, state: str, time: int | None) -> None:
        self._client.set_terminated(known.id, state, time)
        known.state = state

    def _log(
        self,
        run: str,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log in batches of the size that every MLflow store accepts."""
        parts = zip_longest(
            _chunks(metrics, _MOST_METRICS),
            _chunks([Param(*item) for item in (params or {}).items()], _MOST_OTHERS),
            _chunks([RunTag(*item) for item in (tags or {}).items()], _MOST_OTHERS),
            fillvalue=(),
        )
        for some_metrics, some_params, some_tags in parts:
            self._client.log_batch(run, some_metrics, some_params, some_tags, synchronous=True)


def search_runs(client: MlflowClient, experiments: list[str]) -> Iterator[Run]:
    """Yield all active runs of the experiments, page by page, oldest first."""
    token: str | None = None
    while True:
        page = client.search_runs(
            experiments,
            max_results=PAGE,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


def find_or_make_experiment(client: MlflowClient, study: str, location: str | None) -> str:
    """Return the id of the study's experiment; another process may make it at the same time."""
    found = client.get_experiment_by_name(study)
    if found is None:
        try:
            # Without a kind, MLflow's pages open on tools for language models.
            tags = {names.STUDY: study, "mlflow.experimentKind": "custom_model_development"}
            return str(client.create_experiment(study, artifact_location=location, tags=tags))
        except MlflowException as error:
            found = client.get_experiment_by_name(study)
            if found is None:
                raise error from None
    if found.lifecycle_stage != "active":
        raise InputError.of(
            study,
            "its experiment was deleted in MLflow",
            remedy=f"mlflow experiments restore --experiment-id {found.experiment_id}",
        )
    return str(found.experiment_id)


def _drop_error(run: Run) -> None:
    """Remove what an earlier attempt left of its error, where the store is a folder."""
    store = local_folder(run.info.artifact_uri)
    if store is not None:
        (store / ERROR).unlink(missing_ok=True)


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
