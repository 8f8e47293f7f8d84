"""What a leaderboard must not say, and what it must not hide."""

import json

import pandas as pd
import pytest
from test_leaderboard import BASE, RISE, Study, blind, rows

from uda_study.study.leaderboard import leaderboard, needed_keys
from uda_study.study.leaderboard_json import to_csv, to_json
from uda_study.study.leaderboard_text import table_views, to_markdown


@pytest.fixture
def study() -> Study:
    """Two confirmed cells, and one of a single search trial that looks best."""
    study = Study()
    for cell, lift in (("deep", 0 * RISE), ("middle", RISE)):
        study.add(cell, "search", 0, 0, BASE + lift, scores=blind(0.3, 0.6))
        study.add(cell, "search", 1, 0, BASE + lift + 0.01, scores=blind(0.2, 0.9))
        study.add(cell, "search", 2, 0, 0.1, scores=blind(0.1, 0.1))
        for seed in (1, 2, 3):
            study.add(cell, "confirm", 0, seed, BASE + lift + 0.01 * seed, scores=blind(0.3))
    study.add("new", "search", 0, 0, BASE + 0.2, scores=blind(0.9, 0.9))
    study.add("n", "baseline", 0, 1, 0.4, method="no_adaptation", supervision="none")
    study.add("n", "baseline", 0, 2, method="no_adaptation", supervision="none", status="failed")
    return study


def row_of(study: Study, cell: str):
    return next(row for row in rows(study.board()) if row.cell == cell)


def test_a_provisional_row_is_never_the_first_that_confirmed_rows_are_compared_with(study: Study):
    ranked = [(row.cell, row.rank, row.verdict) for row in rows(study.board())][:3]
    assert ranked == [("middle", 1, "first"), ("deep", 2, "worse"), ("new", None, "provisional")]


def test_a_provisional_row_has_no_p_and_no_place_among_confirmed_ones(study: Study):
    new = row_of(study, "new")
    assert (new.against_first, new.rank_ci, new.mean_rank) == (None, None, None)
    (view,) = table_views(study.board())
    cells = dict(zip(view.columns, view.rows[2], strict=True))
    assert (cells["#"], cells["p (Holm)"], cells[""], cells["seeds"]) == (
        "", "-", "provisional", "0/3",
    )  # fmt: skip
    assert view.standings == ("first", "other", "waiting", "reference")


def test_a_provisional_row_does_not_make_others_worse(study: Study):
    with_it = [row for row in rows(study.board()) if row.cell in ("deep", "middle")]
    study.runs = [run for run in study.runs if run["cell"] != "new"]
    assert with_it == [row for row in rows(study.board()) if row.cell in ("deep", "middle")]


def test_a_diverged_confirmation_is_named(study: Study):
    for run in study.runs:
        if run["key"] == "deep/confirm/0/2/0":
            run["status"] = "diverged"
    deep = row_of(study, "deep")
    assert deep.n_seeds == 2
    assert [(e.status, e.seed) for e in deep.unfinished] == [("diverged", 2)]
    text = to_markdown(study.board())
    assert "| 2/3 |" in text
    assert "- deep: 2/3 seeds confirmed\n" in text
    assert "- deep: seed 2 diverged\n" in text
    (line,) = (e for e in read_csv(study) if e["cell"] == "deep")
    assert line["unfinished"] == "seed 2 fold 0 diverged"


def test_a_diverged_fold_is_named_though_its_seed_counts(study: Study):
    study.add("deep", "confirm", 0, 3, fold=1, status="diverged")
    study.add("deep", "confirm", 0, 2, 0.5, fold=1)
    deep = row_of(study, "deep")
    assert deep.n_seeds == 3
    assert "deep: seed 3 fold 1 diverged" in to_markdown(study.board())


def test_of_another_setting_no_ending_is_shown(study: Study):
    study.add("deep", "confirm", 1, 1, status="diverged", params='{"other": 1}')
    assert row_of(study, "deep").unfinished == ()


def test_a_failed_baseline_is_named(study: Study):
    text = to_markdown(study.board())
    assert "no_adaptation (lower bound): 1/3 seeds\n" in text
    assert "no_adaptation (lower bound): seed 2 failed\n" in text
    study.runs = [run for run in study.runs if run["key"] != "n/baseline/0/1/0"]
    assert "no_adaptation (lower bound): no finished training\n" in to_markdown(study.board())


def test_the_mean_rank_is_of_ranks_within_subjects():
    study = Study(subjects=("a", "b", "c"))
    study.add("x", "confirm", 0, 0, [0.9, 0.9, 0.0])
    study.add("y", "confirm", 0, 0, [0.8, 0.8, 0.8])
    first, second = rows(study.board())
    assert (first.cell, first.mean_rank) == ("y", pytest.approx((2 + 2 + 1) / 3))
    assert (second.cell, second.mean_rank) == ("x", pytest.approx((1 + 1 + 2) / 3))
    assert [line["mean_rank"] for line in read_csv(study)] == pytest.approx([5 / 3, 4 / 3])
    assert all("mean_rank" not in view.columns for view in table_views(study.board()))


def test_costs_are_told_apart(study: Study):
    for run in study.runs:
        run["cost/shared_stages_trained"] = 1.0 if run["kind"] == "search" else 0.0
        run["cost/evaluation_seconds"] = 32.0
        run["cost/seconds"] = 3600.0 if run["kind"] == "search" else 1800.0
    deep = row_of(study, "deep")
    assert deep.hours == pytest.approx(4.5)
    assert (deep.cost.tuning_hours, deep.cost.run_hours) == (pytest.approx(3), pytest.approx(0.5))
    assert deep.cost.shared_stages == 3
    assert deep.cost.evaluation_seconds == pytest.approx(32 / 16)  # two cases of eight subjects
    document = json.loads(to_json(study.board()))
    assert document["tables"][0]["rows"][1]["cost"]["tuning_hours"] == pytest.approx(3)
    by_method = rows(study.board("method"))[0]
    assert by_method.cost.tuning_hours == pytest.approx(7)


def test_the_worst_cases_come_from_the_training_that_fails_them(study: Study):
    lowest = min(
        (case for case in study.cases if case["key"] == "deep/confirm/0/2/0"),
        key=lambda case: case["case"] != "c1",
    )
    lowest["value"] = 0.0
    for run in study.runs:
        run["artifact_uri"] = f"/store/{run['key']}"
    worst = row_of(study, "deep").worst
    assert len({case.case for case in worst}) == len(worst) == 3
    assert (worst[0].case, worst[0].subject, worst[0].seed) == ("c1", "c", 2)
    assert worst[0].overlays == "/store/deep/confirm/0/2/0/overlays.png"
    assert worst[0].dice < worst[1].dice


def test_without_places_the_worst_cases_have_no_pictures(study: Study):
    assert {case.overlays for case in row_of(study, "deep").worst} == {None}


@pytest.mark.parametrize("by", ["cell", "method", "trial"])
@pytest.mark.parametrize("select", [None, "oracle", "entropy"])
def test_the_needed_cases_are_enough(study: Study, by, select):
    runs, cases = pd.DataFrame(study.runs), pd.DataFrame(study.cases)
    keys = needed_keys(runs, by, select)
    few = cases[cases["key"].isin(keys)]
    assert leaderboard(runs, few, by, select) == leaderboard(runs, cases, by, select)
    if by != "trial":
        assert len(keys) < runs["key"].nunique()


def test_single_trials_are_ordered_and_not_compared(study: Study):
    board = study.board("trial")
    assert {row.against_first for row in rows(board)} == {None}
    assert "single trainings, which are not compared" in table_views(board)[0].notes


def test_a_choice_with_target_labels_is_marked_everywhere(study: Study):
    for run in study.runs:
        run["selection"] = "oracle/dice"
    for run in list(study.runs):
        other = {**run, "key": run["key"] + "b", "direction": "ct->mr"}
        study.runs.append(other)
        study.cases += [{**c, "key": other["key"]} for c in study.cases if c["key"] == run["key"]]
    board = study.board()
    loud = "SELECTED WITH TARGET LABELS"
    assert [loud in view.title for view in table_views(board)] == [True] * 3
    document = json.loads(to_json(board))
    assert document["reads_target_labels"]
    assert all(loud in part["title"] for part in (*document["tables"], *document["across"]))
    assert {line["reads_target_labels"] for line in read_csv(study)} == {True}


def read_csv(study: Study) -> list[dict]:
    return pd.read_csv(pd.io.common.StringIO(to_csv(study.board()))).to_dict("records")
