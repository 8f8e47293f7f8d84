import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import column, table
from toy_study import result, spec, write_trial

from uda_study.errors import InputError, StoreError
from uda_study.study.leaderboard import leaderboard
from uda_study.tracking import database, query
from uda_study.tracking import study_runs as pages
from uda_study.tracking.log import MlflowRunLog
from uda_study.tracking.query import (
    CASE_COLUMNS,
    RUN_COLUMNS,
    cases_of,
    find_study,
    studies,
    study_cases,
    study_runs,
)
from uda_study.tracking.store import open_store
from uda_study.tracking.study_runs import find_or_make_experiment

Make = Callable[..., MlflowRunLog]


def test_what_was_logged_comes_back_as_a_table(home: Path, folder: Path, make_log: Make):
    log = make_log()
    params = {"optim.lr": 1e-4, "name": "3"}
    for one in (spec(1), spec(0), spec(0, kind="confirm", seed=1)):
        log.trial_started(one, params)
        scores = {"blind_score": 0.4, "test_dice": 0.7}
        log.trial_finished(one, result(one, **scores), write_trial(folder, one))
    log.trial_started(spec(2), params)
    log.close("interrupted")
    client = open_store(home)
    frame = study_runs(client, "toy-1")
    assert list(frame.columns) == [*RUN_COLUMNS, "blind/score", "test/dice"]
    assert list(frame["kind"]) == ["confirm", "search", "search", "search"]
    assert list(frame["number"]) == [0, 0, 1, 2]
    assert list(frame["status"]) == ["complete"] * 3 + ["killed"]
    first = frame.iloc[0]
    assert first["key"] == spec(0, kind="confirm", seed=1).key
    assert json.loads(first["params"]) == params
    assert json.loads(first["factors"]) == {"depth": 5}
    assert (first["dataset"], first["protocol"], first["seeds"]) == ("phantom", "strict", 2)
    assert first["start"] <= first["end"]
    cases = study_cases(client, "toy-1")
    assert list(cases.columns) == list(CASE_COLUMNS)
    assert len(cases) == 3 * 4
    assert set(cases["key"]) == set(frame["key"][:3])


def finished(folder: Path, log: MlflowRunLog) -> None:
    """Log trainings of all kinds and endings."""
    for number, status in enumerate(("complete", "pruned", "diverged", "failed")):
        one = spec(number)
        log.trial_started(one, {"lr": 0.1 * number, "name": "3"})
        log.trial_reported(one, 1, {"blind/score": 0.2})
        scores = {"blind_score": float("nan") if number == 1 else 0.4, "test_dice": 0.7}
        log.trial_finished(one, result(one, status, **scores), write_trial(folder, one))
    one = spec(kind="confirm", seed=1)
    log.trial_started(one, {"lr": 0.5})
    log.trial_finished(one, result(one, test_dice=0.5, cost_x=1.0), write_trial(folder, one))
    log.trial_started(spec(9), {})
    log.close("interrupted")


@pytest.mark.parametrize("scores", [None, ("test/dice",)])
def test_a_database_that_is_read_directly_gives_what_the_client_gives(
    home: Path, folder: Path, make_log: Make, monkeypatch: pytest.MonkeyPatch, scores: object
):
    finished(folder, make_log())
    client = open_store(home)
    client.delete_run(str(study_runs(client, "toy-1")["run_id"].iloc[-1]))
    read = study_runs(client, "toy-1", scores)  # type: ignore[arg-type]
    monkeypatch.setattr(query, "_source", lambda store: store)
    asked = study_runs(client, "toy-1", scores)  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(read, asked)
    assert len(read) == 5


def test_of_named_scores_only_those_and_the_one_that_selects_are_read(
    home: Path, folder: Path, make_log: Make
):
    finished(folder, make_log())
    frame = study_runs(open_store(home), "toy-1", ["test/dice"])
    assert list(frame.columns) == [*RUN_COLUMNS, "blind/score", "test/dice"]
    by_kind = frame.groupby("kind")["params"].agg(set)
    assert by_kind["search"] == {"{}"}
    assert by_kind["confirm"] == {'{"lr": 0.5}'}


def test_values_of_one_metric_can_be_had_alone(home: Path, folder: Path, make_log: Make):
    finished(folder, make_log())
    client = open_store(home)
    cases = cases_of(client, study_runs(client, "toy-1"), ("js",))
    assert set(cases["metric"]) == {"js"}
    assert len(cases) == 5 * 2


def test_a_database_that_breaks_while_it_is_read_is_named(
    home: Path, make_log: Make, monkeypatch: pytest.MonkeyPatch
):
    make_log()
    client = open_store(home)
    monkeypatch.setattr(database, "_TAG", table("gone", *map(column, database._OF_RUN)))
    with pytest.raises(StoreError, match=r"mlflow\.db: no such table: gone"):
        study_runs(client, "toy-1")


def test_the_leaderboard_needs_nothing_else(home: Path, folder: Path, make_log: Make):
    log = make_log()
    for seed, dice in ((0, 0.6), (1, 0.8)):
        one = spec(kind="confirm", seed=seed)
        log.trial_started(one, {})
        log.trial_finished(one, result(one, blind_score=0.4), write_trial(folder, one, dice))
    log.close("complete")
    client = open_store(home)
    board = leaderboard(study_runs(client, "toy-1"), study_cases(client, "toy-1"))
    (row,) = board.tables[0].rows
    assert row.dice == pytest.approx(0.7)
    assert (row.n_seeds, row.seeds_expected) == (2, 2)
    assert board.selected_by == "blind/score"


def test_more_runs_than_a_page_are_all_read(
    home: Path, make_log: Make, monkeypatch: pytest.MonkeyPatch
):
    log = make_log()
    for number in range(7):
        log.trial_started(spec(number), {})
    log.close("complete")
    monkeypatch.setattr(pages, "PAGE", 3)
    monkeypatch.setattr(query, "_source", lambda store: store)
    assert len(study_runs(open_store(home), "toy-1")) == 7


def test_a_study_without_runs_gives_empty_tables(home: Path, make_log: Make):
    make_log()
    client = open_store(home)
    runs, cases = study_runs(client, "toy-1"), study_cases(client, "toy-1")
    assert (len(runs), len(cases)) == (0, 0)
    assert leaderboard(runs, cases).tables == ()


def test_values_of_finished_trainings_that_are_gone_are_no_empty_table(
    home: Path, folder: Path, make_log: Make
):
    log = make_log()
    for one in (spec(0), spec(1)):
        log.trial_started(one, {})
        log.trial_finished(one, result(one), write_trial(folder, one))
    log.close("complete")
    client = open_store(home)
    gone = Path(study_runs(client, "toy-1")["artifact_uri"][1], "cases.csv")
    gone.unlink()
    with pytest.raises(StoreError, match=f"of 1 finished trainings is gone.*{gone}"):
        study_cases(client, "toy-1")


def test_cases_of_several_studies_may_be_read_together(home: Path, folder: Path, make_log: Make):
    log = make_log()
    one = spec()
    log.trial_finished(one, result(one), write_trial(folder, one))
    log.close("complete")
    client = open_store(home)
    runs = pd.concat([study_runs(client, "toy-1")] * 2)
    assert len(cases_of(client, runs)) == 2 * 4


def test_a_study_is_found_by_a_unique_beginning(home: Path):
    client = open_store(home)
    for name in ("dam_depth-7f3", "dam_depth-91a", "sifa-111"):
        find_or_make_experiment(client, name, str(home / "mlartifacts" / name))
    assert find_study(client, "sifa") == "sifa-111"
    assert find_study(client, "dam_depth-7f3") == "dam_depth-7f3"
    assert set(studies(client)) == {"dam_depth-7f3", "dam_depth-91a", "sifa-111"}
    with pytest.raises(InputError, match="names more than one"):
        find_study(client, "dam")
    with pytest.raises(InputError, match="did you mean sifa-111"):
        find_study(client, "siffa-111")
    with pytest.raises(InputError, match="unknown study"):
        study_runs(client, "nothing")
