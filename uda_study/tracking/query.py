"""Read studies back from MLflow, as the tables that the leaderboard is computed from."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from uda_study.errors import InputError
from uda_study.study import cells
from uda_study.tracking import names
from uda_study.tracking._mlflow import Experiment, MlflowClient, Run
from uda_study.tracking.artifacts import fetch
from uda_study.tracking.study_runs import search_runs

CASES = "cases.csv"
RUN_COLUMNS = (
    "study", "key", "cell", "kind", "number", "method", "direction", "dataset", "fold", "seed",
    "supervision", "protocol", "selection", "seeds", "git_commit", "data_sha", "status", "message",
    "factors", "params", "start", "end", "run_id", "artifact_uri",
)  # fmt: skip
CASE_COLUMNS = ("key", "case", "subject", "role", "structure", "metric", "phase", "value")
_STATES = {"RUNNING": "running", "SCHEDULED": "running", "KILLED": "killed"}


def find_study(client: MlflowClient, text: str) -> str:
    """Return the study of that id or name, or the only one that begins so; else `InputError`."""
    return cells.find_study(text, studies(client))


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


def study_runs(client: MlflowClient, study: str) -> pd.DataFrame:
    """Return one row per training of the study: `RUN_COLUMNS`, then one column per score.

    ``status`` is complete, pruned, diverged, failed, running or killed; ``factors`` and ``params``
    are JSON text; ``start`` and ``end`` are UTC times. `InputError` if the study is unknown.
    """
    experiment = client.get_experiment_by_name(study)
    if experiment is None:
        find_study(client, study)
        raise InputError.of("study", "unknown study", repr(study))
    runs = search_runs(client, [experiment.experiment_id])
    rows = [_row(run) for run in runs if names.KEY in run.data.tags]
    scores = sorted({name for row in rows for name in row} - set(RUN_COLUMNS))
    frame = pd.DataFrame(rows, columns=[*RUN_COLUMNS, *scores])
    for column in ("start", "end"):
        frame[column] = pd.to_datetime(frame[column], unit="ms", utc=True)
    order = frame.sort_values(["kind", "cell", "number", "seed", "fold", "key"])
    return order.reset_index(drop=True)


def study_cases(client: MlflowClient, study: str) -> pd.DataFrame:
    """Return all measured values of all trainings of the study: `CASE_COLUMNS`."""
    return cases_of(client, study_runs(client, study))


def cases_of(client: MlflowClient, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the measured values of these trainings, which are rows of `study_runs`."""
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        for key, run_id, uri in zip(runs["key"], runs["run_id"], runs["artifact_uri"], strict=True):
            path = fetch(client, run_id, uri, CASES, Path(folder))
            if path is None:
                continue
            table = pd.read_csv(path, dtype={"case": str, "subject": str, "structure": str})
            tables.append(table.assign(key=key)[list(CASE_COLUMNS)])
    if not tables:
        return pd.DataFrame(columns=list(CASE_COLUMNS), dtype=str).astype({"value": float})
    return pd.concat(tables, ignore_index=True)


def _row(run: Run) -> dict[str, Any]:
    tags, info = run.data.tags, run.info
    status = _STATES.get(info.status) or tags.get(names.STATUS, "failed")
    params = {name: names.decode(text) for name, text in run.data.params.items()}
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
        "selection": tags.get("uda.selection", ""),
        "seeds": len([seed for seed in tags.get("uda.seeds", "").split(",") if seed.strip()]),
        "git_commit": tags.get("uda.git_commit", ""),
        "data_sha": tags.get("uda.data_sha", ""),
        "status": status,
        "message": tags.get(names.MESSAGE, ""),
        "factors": tags.get("uda.factors", "{}"),
        "params": json.dumps(params, sort_keys=True),
        "start": info.start_time,
        "end": info.end_time,
        "run_id": info.run_id,
        "artifact_uri": info.artifact_uri,
        **run.data.metrics,
    }
