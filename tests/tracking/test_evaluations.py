"""Scores that come after a study has ended reach the runs that there are."""

import json

import pandas as pd
import pytest
from toy_study import result, spec, write_trial

from uda_study.errors import InputError
from uda_study.tracking import writer
from uda_study.tracking.evaluations import SPOOL, MlflowEvaluationLog
from uda_study.tracking.query import study_cases, study_runs
from uda_study.tracking.store import open_store

SCORES = {"test/dice": 0.5, "test/kid": 0.25}


@pytest.fixture
def ended(make_log, folder):
    """A study with one finished training; returns the training's folder."""
    place = write_trial(folder, spec())
    log = make_log()
    log.trial_started(spec(), {})
    log.trial_finished(spec(), result(spec(), test_dice=0.5), place)
    log.close("complete")
    return place


@pytest.fixture
def make_evaluations(home, folder):
    def make(warn=pytest.fail):
        return MlflowEvaluationLog(home, "toy-1", folder, warn)

    return make


def add_row(place):
    table = pd.read_csv(place / "cases.csv", dtype=str)
    row = ["(all)", "(all)", "target_test", "image", "kid", "after", "0.25"]
    table.loc[len(table)] = row
    table.to_csv(place / "new.csv", index=False)
    (place / "new.csv").replace(place / "cases.csv")


def one_run(home):
    (row,) = study_runs(open_store(home), "toy-1").to_dict("records")
    return row


def history(home, name):
    client = open_store(home)
    return [m.value for m in client.get_metric_history(one_run(home)["run_id"], name)]


def test_new_scores_and_the_new_table_are_in_the_run(home, ended, make_evaluations):
    add_row(ended)
    log = make_evaluations()
    log.evaluated(spec(), 100, SCORES, ended)
    assert log.close()
    row = one_run(home)
    assert (row["test/dice"], row["test/kid"], row["status"]) == (0.5, 0.25, "complete")
    table = study_cases(open_store(home), "toy-1")
    assert table[table["metric"] == "kid"]["value"].tolist() == [0.25]


def test_a_repetition_writes_nothing_and_another_value_replaces_the_old(
    home, ended, make_evaluations
):
    for scores in (SCORES, SCORES, {**SCORES, "test/kid": 0.125}):
        log = make_evaluations()
        log.evaluated(spec(), 100, scores, ended)
        assert log.close()
    assert history(home, "test/kid") == [0.25, 0.125]
    assert history(home, "test/dice") == [0.5]
    assert one_run(home)["test/kid"] == 0.125


def test_values_that_are_not_finite_are_no_scores(home, ended, make_evaluations):
    log = make_evaluations()
    log.evaluated(spec(), 100, {"test/fid": float("nan"), "test/kid": 1.0}, ended)
    assert log.close()
    assert "test/fid" not in one_run(home)


def test_a_training_without_a_run_is_told_of_and_the_others_are_written(
    home, ended, make_evaluations
):
    warnings = []
    log = make_evaluations(warnings.append)
    log.evaluated(spec(7), 100, SCORES, ended)
    log.evaluated(spec(), 100, SCORES, ended)
    assert log.close()
    assert warnings == [f"training {spec(7).key} has no run in MLflow: uda-study resume"]
    assert one_run(home)["test/kid"] == 0.25


def test_an_unknown_study_is_invalid_input(home, folder):
    with pytest.raises(InputError, match="is not in MLflow"):
        MlflowEvaluationLog(home, "toy-2", folder, print)


def test_what_the_tracker_refuses_is_kept_and_written_at_the_next_start(
    home, ended, make_evaluations, monkeypatch, folder
):
    warnings = []
    log = make_evaluations(warnings.append)
    with monkeypatch.context() as patch:
        patch.setattr(writer, "PAUSES", ())
        patch.setattr(log._client, "log_batch", None)
        log.evaluated(spec(), 100, SCORES, ended)
        assert not log.close()
    assert "kept in" in warnings[0]
    (line,) = (folder / SPOOL).read_text().splitlines()
    assert json.loads(line)["scores"] == SCORES
    assert make_evaluations().close()
    assert one_run(home)["test/kid"] == 0.25
    assert not (folder / SPOOL).exists()
