"""A study as its report sees it, read from MLflow and from nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from uda_study.errors import StoreError
from uda_study.report.section import Material
from uda_study.study.checks import checks_from_json
from uda_study.study.leaderboard import leaderboard
from uda_study.tracking import names
from uda_study.tracking._mlflow import MlflowClient, Run
from uda_study.tracking.fetching import fetch
from uda_study.tracking.query import cases_of, study_runs

STUDY, DATA, ENVIRONMENT, CHECKS = "study.yaml", "data.json", "environment.txt", "checks.json"


def material(client: MlflowClient, study: str, into: Path) -> Material:
    """Read the study of this id; what has to be downloaded is put below ``into``.

    Files of trainings are fetched when they are asked for, so ``into`` has to last as long as the
    material. Raises `InputError` for an unknown study and `StoreError` where its files are gone.
    """
    runs = study_runs(client, study)
    cases = cases_of(client, runs)
    triples = zip(runs["key"], runs["run_id"], runs["artifact_uri"], strict=True)
    places = {str(key): (str(run), str(uri)) for key, run, uri in triples}

    def file(key: str, name: str) -> Path | None:
        if key not in places:
            return None
        run, uri = places[key]
        return _fetch(client, run, uri, name, into)

    cells = _cells(client, study)

    def of_study(name: str) -> str | None:
        for run in cells:
            path = _fetch(client, run.info.run_id, run.info.artifact_uri, name, into)
            if path is not None:
                return path.read_text(encoding="utf-8")
        return None

    spec, data = of_study(STUDY), of_study(DATA)
    if spec is None or data is None:
        raise StoreError(f"study {study}: {STUDY} or {DATA} is not among its files in MLflow")
    checks = of_study(CHECKS)
    return Material(
        study=study,
        board=leaderboard(runs, cases),
        runs=runs,
        cases=cases,
        spec=_yaml(spec),
        data=json.loads(data),
        environment=of_study(ENVIRONMENT) or "",
        checks=() if checks is None else checks_from_json(checks),
        file=file,
    )


def _cells(client: MlflowClient, study: str) -> list[Run]:
    """Return the runs of the study's cells, to each of which the study's files are attached."""
    experiment = client.get_experiment_by_name(study)
    if experiment is None:
        return []
    wanted = f"tags.`{names.KIND}` = '{names.CELL_KIND}'"
    return list(client.search_runs([experiment.experiment_id], wanted))


def _fetch(client: MlflowClient, run: str, uri: str, name: str, into: Path) -> Path | None:
    place = into / run
    place.mkdir(parents=True, exist_ok=True)
    return fetch(client, run, uri, name, place)


def _yaml(text: str) -> dict[str, Any]:
    # Plain values: what the reader of YAML returns are classes of its own.
    values: dict[str, Any] = json.loads(json.dumps(YAML(typ="safe", pure=True).load(text)))
    return values
