import json
from pathlib import Path

import pytest
from toy_study import CELL, TAGS, result, spec, write_trial

from uda_study.study.leaderboard import leaderboard
from uda_study.tracking import names
from uda_study.tracking._mlflow import MlflowClient
from uda_study.tracking.board_view import publish
from uda_study.tracking.log import MlflowRunLog
from uda_study.tracking.query import cases_of, study_runs
from uda_study.tracking.store import open_store


@pytest.fixture
def client(home: Path, folder: Path) -> MlflowClient:
    """A store with a confirmed cell whose leaderboard was published."""
    log = MlflowRunLog(home, supervision=lambda _: "images")
    log.open("toy-1", folder, [CELL], TAGS)
    for seed, dice in ((0, 0.61234), (1, 0.8)):
        one = spec(kind="confirm", seed=seed)
        log.trial_started(one, {})
        log.trial_finished(one, result(one), write_trial(folder, one, dice))
    log.close("complete")
    client = open_store(home)
    runs = study_runs(client, "toy-1")
    publish(client, leaderboard(runs, cases_of(client, runs)), time=0)
    return client


def test_the_cell_of_a_row_has_its_figures_with_as_many_digits_as_a_column_shows(client):
    experiment = client.get_experiment_by_name("toy-1")
    (cell,) = client.search_runs([experiment.experiment_id], "tags.`uda.kind` = 'cell'")
    assert cell.data.metrics["rank"] == 1
    assert cell.data.metrics["dice"] == 0.7062
    assert cell.data.metrics["js"] == 0.1
    assert {"sd_seeds", "seeds", "hours"} <= set(cell.data.metrics)
    assert cell.data.tags["uda.verdict"] == "first"
    assert cell.data.tags["uda.role"] == "method"
    assert cell.data.tags[names.CELL] == CELL.key


def test_the_saved_view_shows_what_the_cells_have(client):
    experiment = client.get_experiment_by_name("toy-1")
    view = json.loads(experiment.tags["mlflow.sharedViewState.leaderboard"])
    shown = client.search_runs(
        [experiment.experiment_id],
        view["searchFilter"],
        order_by=[f"{view['orderByKey']} {'ASC' if view['orderByAsc'] else 'DESC'}"],
    )
    (cell,) = shown
    known = {f"metrics.`{name}`" for name in cell.data.metrics}
    known |= {f"tags.`{name}`" for name in cell.data.tags}
    assert {"metrics.`dice`", "metrics.`rank`", "tags.`uda.verdict`"} <= set(
        view["selectedColumns"]
    )
    assert known & set(view["selectedColumns"]) >= {"metrics.`js`", "metrics.`sd_seeds`"}


def test_the_cells_of_a_published_board_are_no_trainings(client):
    assert set(study_runs(client, "toy-1")["kind"]) == {"confirm"}
