"""A training whose model the store does not have: dropped on purpose, or lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from uda_study.errors import InputError, StoreError, UdaStudyError
from uda_study.tracking import names
from uda_study.tracking._mlflow import MlflowClient
from uda_study.tracking.artifacts import attach, drop_model
from uda_study.tracking.place import tracking_uri
from uda_study.tracking.store import open_store, store_errors
from uda_study.tracking.study_runs import search_runs


def no_model(client: MlflowClient, run: Mapping[str, str]) -> UdaStudyError:
    """Return the error for a row of `uda_study.tracking.query.study_runs` without a model."""
    key, study = run["key"], run["study"]
    if client.get_run(run["run_id"]).data.tags.get(names.MODEL) != names.DROPPED:
        return StoreError(f"{run['cell']}: training {key} has no model among its files")
    return InputError.of(
        f"training {key}",
        f"the model of {run['cell']} was dropped, as it is not among the best of its search",
        None,
        f"uda-study retrain {study} {key} trains it again",
    )


def bring_back(home: Path, study: str, key: str, folder: Path) -> None:
    """Attach the model of a training that was trained again; pass over a study not in MLflow."""
    client = open_store(home)
    with store_errors(tracking_uri(home)):
        experiment = client.get_experiment_by_name(study)
        if experiment is None:
            return
        for run in search_runs(client, [experiment.experiment_id]):
            if run.data.tags.get(names.KEY) == key:
                attach(client, run, folder)
                client.set_tag(run.info.run_id, names.MODEL, "retrained")


def drop_models(home: Path, study: str, keys: Collection[str]) -> None:
    """Remove the models of these trainings from the store; pass over a study not in MLflow."""
    if not keys:
        return
    client = open_store(home)
    with store_errors(tracking_uri(home)):
        experiment = client.get_experiment_by_name(study)
        if experiment is None:
            return
        for run in search_runs(client, [experiment.experiment_id]):
            if run.data.tags.get(names.KEY) in keys:
                client.set_tag(run.info.run_id, names.MODEL, drop_model(client, run))
