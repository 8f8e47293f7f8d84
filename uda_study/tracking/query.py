"""Read studies back from MLflow, as the tables that the leaderboard is computed from.

A store that is a database is read by four plain selects, in a fiftieth of the time that MLflow's
own objects take; any other store, such as a server, is asked through MLflow's client.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from sqlalchemy import Connection, Engine, Select, column, select, table

from uda_study.errors import InputError, StoreError
from uda_study.study import find
from uda_study.tracking import names
from uda_study.tracking._mlflow import Experiment, MlflowClient, SqlAlchemyStore
from uda_study.tracking.artifacts import fetch
from uda_study.tracking.store import store_errors
from uda_study.tracking.study_runs import search_runs

CASES, SELECTION = "cases.csv", "uda.selection"
RUN_COLUMNS = (
    "study", "key", "cell", "kind", "number", "method", "direction", "dataset", "fold", "seed",
    "supervision", "protocol", "selection", "seeds", "top_k", "git_commit", "data_sha", "checks",
    "status", "message", "factors", "params", "start", "end", "run_id", "artifact_uri",
)  # fmt: skip
CASE_COLUMNS = ("key", "case", "subject", "role", "structure", "metric", "phase", "value")
_STATES = {"RUNNING": "running", "SCHEDULED": "running", "KILLED": "killed"}
_PART = 500
"""Rows that are taken at a time: one by one is slow, and more than 700 new tuples at once make
Python look for garbage among everything that it has."""
_RUNS = table(
    "runs",
    *map(column, ("run_uuid", "status", "start_time", "end_time", "artifact_uri")),
    *map(column, ("experiment_id", "lifecycle_stage")),
)
_OF_RUN = ("run_uuid", "key", "value")
_TAG, _PARAM = table("tags", *map(column, _OF_RUN)), table("params", *map(column, _OF_RUN))
_SCORE = table("latest_metrics", *map(column, (*_OF_RUN, "is_nan")))


class _Stored(NamedTuple):
    """A run as the store has it."""

    run_id: str
    state: str
    start: int
    end: int | None
    uri: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    scores: Mapping[str, float]


def find_study(client: MlflowClient, text: str) -> str:
    """Return the study of that id or name, or the only one that begins so; else `InputError`."""
    return find.find_study(text, studies(client))


def studies(client: MlflowClient) -> list[str]:
    """Return the ids of all studies, the newest first."""
    found: list[Experiment] = []
    token: str | None = None
    while True:
        page = client.search_experiments(order_by=["creation_time DESC"], page_token=token)
        found += page
        token = page.token
        if not token:
            return [str(item.name) for item in found if names.STUDY in item.tags]


def study_runs(
    client: MlflowClient, study: str, scores: Collection[str] | None = None
) -> pd.DataFrame:
    """Return one row per training of the study: `RUN_COLUMNS`, then one column per score.

    ``status`` is complete, pruned, diverged, failed, running or killed; ``factors`` and ``params``
    are JSON text; ``start`` and ``end`` are UTC times. With ``scores``, other scores are left out
    but the one that the study selects by, and so are the parameters of search trials: what remains
    is read faster. `InputError` if the study is unknown.
    """
    experiment = client.get_experiment_by_name(study)
    if experiment is None:
        find_study(client, study)
        raise InputError.of("study", "unknown study", repr(study))
    store = client._tracking_client.store
    if isinstance(store, SqlAlchemyStore):
        stored = _from_database(store.engine, int(experiment.experiment_id), scores)
    else:
        stored = _from_client(client, experiment.experiment_id, scores)
    rows = [_row(run) for run in stored if names.KEY in run.tags]
    measured = sorted({name for row in rows for name in row} - set(RUN_COLUMNS))
    frame = pd.DataFrame(rows, columns=[*RUN_COLUMNS, *measured])
    for name in ("start", "end"):
        frame[name] = pd.to_datetime(frame[name], unit="ms", utc=True)
    order = frame.sort_values(["kind", "cell", "number", "seed", "fold", "key"])
    return order.reset_index(drop=True)


def study_cases(client: MlflowClient, study: str) -> pd.DataFrame:
    """Return all measured values of all trainings of the study: `CASE_COLUMNS`."""
    return cases_of(client, study_runs(client, study))


def cases_of(
    client: MlflowClient, runs: pd.DataFrame, metrics: Collection[str] | None = None
) -> pd.DataFrame:
    """Return the measured values of these trainings, which are rows of `study_runs`.

    With ``metrics``, those of other metrics are left out. Raises `StoreError` where those of a
    finished training are gone: a table without them would pass for one of all trainings.
    """
    tables, gone = [], []
    with tempfile.TemporaryDirectory() as folder:
        columns = (runs[name] for name in ("key", "run_id", "artifact_uri", "status"))
        for key, run_id, uri, status in zip(*columns, strict=True):
            path = fetch(client, run_id, uri, CASES, Path(folder))
            if path is None:
                gone += [f"{uri}/{CASES}"] if status == "complete" else []
                continue
            values = pd.read_csv(path, dtype={"case": str, "subject": str, "structure": str})
            if metrics is not None:
                values = values[values["metric"].isin(metrics)]
            tables.append(values.assign(key=key)[list(CASE_COLUMNS)])
    if gone:
        raise StoreError(
            f"{CASES} of {len(gone)} finished trainings is gone, the first of them {gone[0]}; "
            "restore MLflow's artifacts to where they were"
        )
    if not tables:
        return pd.DataFrame(columns=list(CASE_COLUMNS), dtype=str).astype({"value": float})
    return pd.concat(tables, ignore_index=True)


def _from_client(
    client: MlflowClient, experiment: str, scores: Collection[str] | None
) -> Iterator[_Stored]:
    for run in search_runs(client, [experiment]):
        info, data = run.info, run.data
        whole = scores is None or data.tags.get(names.KIND) != "search"
        wanted = None if scores is None else {*scores, data.tags.get(SELECTION)}
        yield _Stored(
            info.run_id,
            info.status,
            info.start_time,
            info.end_time,
            info.artifact_uri,
            data.tags,
            data.params if whole else {},
            {k: v for k, v in data.metrics.items() if wanted is None or k in wanted},
        )


def _from_database(
    engine: Engine, experiment: int, scores: Collection[str] | None
) -> Iterator[_Stored]:
    """Read the active runs of an experiment from the tables of MLflow's database."""
    mine = (_RUNS.c.experiment_id == experiment) & (_RUNS.c.lifecycle_stage == "active")
    ids = select(_RUNS.c.run_uuid).where(mine)
    tags, params, measured = (
        select(*table.c).where(table.c.run_uuid.in_(ids)) for table in (_TAG, _PARAM, _SCORE)
    )
    if scores is not None:
        search = (_TAG.c.key == names.KIND) & (_TAG.c.value == "search")
        params = params.where(_PARAM.c.run_uuid.not_in(select(_TAG.c.run_uuid).where(search)))
    values: dict[str, dict[str, float]] = defaultdict(dict)
    with store_errors(str(engine.url)), engine.connect() as base:
        # A study may be running. A training's scores are written before its status, and the
        # status before the end of its run, so what is read in the opposite order fits together.
        runs = base.execute(select(*list(_RUNS.c)[:5]).where(mine)).all()
        tags_of = _texts(base, tags)
        params_of = _texts(base, params)
        if scores is not None:
            rules = {tags.get(SELECTION, "") for tags in tags_of.values()}
            measured = measured.where(_SCORE.c.key.in_({*scores, *rules}))
        for run, key, value, is_nan in _rows(base, measured):
            values[run][key] = math.nan if is_nan else value
    for run, state, start, end, uri in runs:
        yield _Stored(run, state, start, end, uri, tags_of[run], params_of[run], values[run])


def _rows(base: Connection, wanted: Select[Any]) -> Iterator[Sequence[Any]]:
    for part in base.execute(wanted).partitions(_PART):
        yield from part


def _texts(base: Connection, wanted: Select[Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for run, key, value in _rows(base, wanted):
        found[run][key] = value
    return found


def _row(run: _Stored) -> dict[str, Any]:
    tags = run.tags
    status = _STATES.get(run.state) or tags.get(names.STATUS, "failed")
    params = {name: names.decode(text) for name, text in run.params.items()}
    return {
        "study": tags[names.STUDY],
        "key": tags[names.KEY],
        "cell": tags[names.CELL],
        "kind": tags[names.KIND],
        "number": int(tags["uda.number"]),
        "method": tags["uda.method"],
        "direction": tags["uda.direction"],
        "dataset": tags.get("uda.dataset", ""),
        "fold": int(tags["uda.fold"]),
        "seed": int(tags["uda.seed"]),
        "supervision": tags["uda.supervision"],
        "protocol": tags.get("uda.protocol", ""),
        "selection": tags.get(SELECTION, ""),
        "seeds": len([seed for seed in tags.get("uda.seeds", "").split(",") if seed.strip()]),
        "top_k": int(tags.get("uda.top_k", 0)),
        "git_commit": tags.get("uda.git_commit", ""),
        "data_sha": tags.get("uda.data_sha", ""),
        "checks": tags.get("uda.checks", ""),
        "status": status,
        "message": tags.get(names.MESSAGE, ""),
        "factors": tags.get("uda.factors", "{}"),
        "params": json.dumps(params, sort_keys=True),
        "start": run.start,
        "end": run.end,
        "run_id": run.run_id,
        "artifact_uri": run.uri,
        **run.scores,
    }
