"""Read studies back from MLflow, as the tables that the leaderboard is computed from.

A store that is a database is read by plain selects, in a fiftieth of the time that MLflow's own
objects take; any other store, such as a server, is asked through MLflow's client.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from uda_study.errors import InputError, StoreError
from uda_study.study import find
from uda_study.tracking import names
from uda_study.tracking.database import SELECTION, Database, Stored
from uda_study.tracking.fetching import fetch

if TYPE_CHECKING:
    from uda_study.tracking._mlflow import MlflowClient

    Store = MlflowClient | Database
    """Where studies are read from; a database needs no MLflow, which takes long to import."""

CASES = "cases.csv"
RUN_COLUMNS = (
    "study", "key", "cell", "kind", "number", "method", "direction", "dataset", "fold", "seed",
    "supervision", "protocol", "selection", "seeds", "top_k", "git_commit", "data_sha", "checks",
    "status", "message", "factors", "params", "start", "end", "run_id", "artifact_uri",
)  # fmt: skip
CASE_COLUMNS = ("key", "case", "subject", "role", "structure", "metric", "phase", "value")
_STATES = {"RUNNING": "running", "SCHEDULED": "running", "KILLED": "killed"}


def find_study(store: Store, text: str) -> str:
    """Return the study of that id or name, or the only one that begins so; else `InputError`."""
    return find.find_study(text, studies(store))


def studies(store: Store) -> list[str]:
    """Return the ids of all studies, the newest first."""
    source = _source(store)
    if isinstance(source, Database):
        return source.studies()
    found: list[str] = []
    token: str | None = None
    while True:
        page = source.search_experiments(order_by=["creation_time DESC"], page_token=token)
        found += [str(item.name) for item in page if names.STUDY in item.tags]
        token = page.token
        if not token:
            return found


def study_runs(store: Store, study: str, scores: Collection[str] | None = None) -> pd.DataFrame:
    """Return one row per training of the study: `RUN_COLUMNS`, then one column per score.

    ``status`` is complete, pruned, diverged, failed, running or killed; ``factors`` and ``params``
    are JSON text; ``start`` and ``end`` are UTC times. With ``scores``, other scores are left out
    but the one that the study selects by, and so are the parameters of search trials: what remains
    is read faster. `InputError` if the study is unknown.
    """
    source = _source(store)
    if isinstance(source, Database):
        experiment = source.experiment(study)
    else:
        known = source.get_experiment_by_name(study)
        experiment = None if known is None else str(known.experiment_id)
    if experiment is None:
        find_study(store, study)
        raise InputError.of("study", "unknown study", repr(study))
    stored = (
        source.runs(experiment, scores)
        if isinstance(source, Database)
        else _from_client(source, experiment, scores)
    )
    rows = [_row(run) for run in stored if names.KEY in run.tags]
    measured = sorted({name for row in rows for name in row} - set(RUN_COLUMNS))
    frame = pd.DataFrame(rows, columns=[*RUN_COLUMNS, *measured])
    for name in ("start", "end"):
        frame[name] = pd.to_datetime(frame[name], unit="ms", utc=True)
    order = frame.sort_values(["kind", "cell", "number", "seed", "fold", "key"])
    return order.reset_index(drop=True)


def study_cases(store: Store, study: str) -> pd.DataFrame:
    """Return all measured values of all trainings of the study: `CASE_COLUMNS`."""
    return cases_of(store, study_runs(store, study))


def cases_of(
    store: Store, runs: pd.DataFrame, metrics: Collection[str] | None = None
) -> pd.DataFrame:
    """Return the measured values of these trainings, which are rows of `study_runs`.

    With ``metrics``, those of other metrics are left out. Raises `StoreError` where those of a
    finished training are gone: a table without them would pass for one of all trainings.
    """
    client = None if isinstance(store, Database) else store
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


def _source(store: Store) -> Store:
    """Return the database behind a client, where there is one; else what was given."""
    if isinstance(store, Database):
        return store
    engine = getattr(store._tracking_client.store, "engine", None)
    return store if engine is None else Database(engine)


def _from_client(
    client: MlflowClient, experiment: str, scores: Collection[str] | None
) -> Iterator[Stored]:
    # Here MLflow is imported already: it made the client.
    from uda_study.tracking.study_runs import search_runs  # noqa: PLC0415

    for run in search_runs(client, [experiment]):
        info, data = run.info, run.data
        whole = scores is None or data.tags.get(names.KIND) != "search"
        wanted = None if scores is None else {*scores, data.tags.get(SELECTION)}
        yield Stored(
            info.run_id,
            info.status,
            info.start_time,
            info.end_time,
            info.artifact_uri,
            data.tags,
            data.params if whole else {},
            {k: v for k, v in data.metrics.items() if wanted is None or k in wanted},
        )


def _row(run: Stored) -> dict[str, Any]:
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
