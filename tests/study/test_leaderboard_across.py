"""Means over directions: in every format, never silently."""

import json

import pandas as pd
import pytest
from test_leaderboard import BASE, Study, blind

from uda_study.study.leaderboard_json import to_csv, to_json
from uda_study.study.leaderboard_latex import to_latex
from uda_study.study.leaderboard_text import table_views, to_markdown


@pytest.fixture
def study() -> Study:
    study = Study()
    for place, direction in enumerate(("mr->ct", "ct->mr")):
        for depth, lift in ((3, 0.0), (5, 0.1)):
            factors = json.dumps({"depth": depth, "direction": direction})
            cell = f"depth={depth} direction={direction}"
            for seed in (1, 2):
                study.add(
                    cell, "confirm", 0, seed, BASE + lift - 0.2 * place, factors=factors,
                    direction=direction, scores=blind(0.5), seeds=2,
                )  # fmt: skip
    return study


def test_a_title_says_over_how_many_pairs_the_unweighted_mean_is(study: Study):
    *single, view = table_views(study.board())
    assert len(single) == 2
    assert view.title == (
        "unweighted mean over 2 domain pairs (phantom ct->mr; phantom mr->ct), supervision images, "
        "selected by blind rank average"
    )
    assert view.columns == (
        "setting", "mean Dice", "phantom ct->mr", "phantom mr->ct", "mean rank", "rank CI",
    )  # fmt: skip
    assert view.rows == (
        ("depth 5", "0.650", "0.550", "0.750", "1.00", "[1, 1]"),
        ("depth 3", "0.550", "0.450", "0.650", "2.00", "[2, 2]"),
    )
    assert any("no test below 6" in note for note in view.notes)


def test_markdown_and_latex_have_the_table_of_means(study: Study):
    title = "unweighted mean over 2 domain pairs"
    assert to_markdown(study.board()).count(f"### {title}") == 1
    assert to_latex(study.board()).count(rf"\caption{{{title}") == 1


def test_json_has_the_means_under_a_key_of_their_own(study: Study):
    (found,) = json.loads(to_json(study.board()))["across"]
    assert found["pairs"] == ["phantom ct->mr", "phantom mr->ct"]
    assert [row["label"] for row in found["rows"]] == ["depth 5", "depth 3"]
    assert found["rows"][0]["by_pair"]["phantom ct->mr"] == pytest.approx(0.55)
    assert found["posthoc"] == []


def test_csv_keeps_the_means_out_of_the_columns_of_single_directions(study: Study):
    frame = pd.read_csv(pd.io.common.StringIO(to_csv(study.board())))
    means = frame[frame["direction"] == "mean over 2 pairs"]
    assert means["cell"].tolist() == ["depth 5", "depth 3"]
    assert means["across.mean_dice"].tolist() == pytest.approx([0.65, 0.55])
    assert means["dice.mean"].isna().all()
    assert frame.loc[frame["direction"] == "ct->mr", "across.mean_dice"].isna().all()


def test_what_stands_in_one_direction_alone_has_no_mean(study: Study):
    study.add("depth=7", "confirm", 0, 1, 0.9, factors='{"depth": 7}', seeds=2)
    view = table_views(study.board())[-1]
    assert view.rows[-1] == ("depth 7", "-", "-", "0.900", "-", "-")
    assert "depth 7: no mean, nothing in phantom ct->mr" in view.notes


def test_a_setting_that_is_not_confirmed_everywhere_is_noted(study: Study):
    for run in study.runs:
        if run["cell"] == "depth=5 direction=mr->ct":
            run["kind"] = "search"
    view = table_views(study.board())[-1]
    assert "depth 5: provisional in at least one pair" in view.notes


def test_transductive_directions_are_named_in_the_title_of_the_means(study: Study):
    for run in study.runs:
        run["protocol"] = "transductive"
    assert "TRANSDUCTIVE" in table_views(study.board())[-1].title


def test_one_direction_has_no_table_of_means(study: Study):
    study.runs = [run for run in study.runs if run["direction"] == "mr->ct"]
    assert len(table_views(study.board())) == 1
    assert json.loads(to_json(study.board()))["across"] == []
