import dataclasses
import json
import math

import pandas as pd
import pytest
from made_up_study import MadeUpStudy, depths_material
from test_figures import pixels

from uda_study.errors import InputError
from uda_study.report.parallel_plot import Track, TrialLine, parallel_figure
from uda_study.report.sections.parallel import section

PARAMETERS = {
    "optim.lr": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "kind": {"type": "categorical", "choices": [True, 1, '<&"$x$', None]},
    "clip": {"type": "float", "low": 0, "high": 1, "when": {"kind": True}},
    "a_very_long_name_of_a_hyperparameter.of_a_part": {"type": "int", "low": 1, "high": 9},
}
FINISHED = depths_material()
LONG = "a_very_long_name_of_a_hyperparameter.of_a_part"
TRACKS = [Track("lr", 1e-4, 1e-1, log=True), Track("blind/score"), Track("test Dice")]


def material(study: MadeUpStudy, parameters=PARAMETERS):
    cases = pd.DataFrame(study.cases, columns=FINISHED.cases.columns).astype({"value": float})
    spec = {"parameters": parameters}
    return dataclasses.replace(FINISHED, runs=pd.DataFrame(study.runs), cases=cases, spec=spec)


def searched(count: int, cell: str = "g3", study: MadeUpStudy | None = None, **other):
    study = study or MadeUpStudy("abc")
    for number in range(count):
        params = {
            "optim.lr": 10.0 ** (-1 - number % 3), "kind": [True, 1, "<&\"$x$", None][number % 4],
            "clip": 0.5, LONG: 1 + number % 9,
        }  # fmt: skip
        settings = {"params": json.dumps(params), "blind/score": number / 10} | other
        study.train(cell, "search", 0.2 + number / 20, number=number, **settings)
    return study


@pytest.mark.parametrize("count", [1, 2, 7])
def test_trials_are_drawn_and_counted(count):
    (exhibit,) = section(material(searched(count))).exhibits
    assert f"{count} finished of {count} search trial" in exhibit.caption
    assert "Below an axis" in exhibit.caption
    assert pixels(exhibit.picture).std() > 5


@pytest.mark.parametrize(
    "other",
    [
        {"status": "failed", "params": "{}", "blind/score": math.nan},
        {"status": "pruned"},
        {"blind/score": math.nan},
        {"params": json.dumps({"optim.lr": 5.0, "kind": "new", LONG: 1})},
        {"params": json.dumps({"optim.lr": 0.0, "kind": 1, LONG: True})},
    ],
)
def test_odd_trials_are_borne_beside_others_and_alone(other):
    beside = searched(2, study=searched(3, **other), seed=1)
    assert "5 search trials" in section(material(beside)).exhibits[0].caption
    alone = section(material(searched(3, **other)))
    assert (alone is None) == (other.get("params") == "{}")
    if alone is not None:
        assert "3 search trials" in alone.exhibits[0].caption


def test_cells_that_search_the_same_share_a_figure_with_their_factors_first():
    one, both = searched(3), searched(3, "g7", searched(3))
    (single,) = section(material(one)).exhibits
    (merged,) = section(material(both)).exhibits
    assert "in 2 cells" in merged.caption
    assert "to be compared within a cell" in merged.caption
    assert pixels(merged.picture).shape[1] > pixels(single.picture).shape[1]


def test_every_method_has_a_figure():
    study = MadeUpStudy("abc")
    for n in range(3):
        searched(2, f"cell{n}", study, method=f"m{n}<&", factors={"method": f"m{n}<&"})
    assert len(section(material(study)).exhibits) == 3


def test_nothing_searched_shows_nothing():
    study = MadeUpStudy()
    study.confirm("g3", 0.5)
    assert section(material(study)) is None
    assert section(material(searched(2), {"optim.lr": 0.1})) is None


def test_heights_follow_the_scale_of_the_axis():
    assert TRACKS[0].height(1e-4) == 0
    assert TRACKS[0].height(10**-2.5) == pytest.approx(0.5)
    assert Track("x", 2, 4).height(3) == 0.5
    assert Track("x", 2, 2).height(2) == 0.5
    kinds = Track("kind", choices=("a", "b"))
    assert [kinds.height(0), kinds.height(1)] == [0.25, 0.75]


@pytest.mark.parametrize(
    ("track", "texts"),
    [
        (TRACKS[0], ["0.0001", "0.001", "0.01", "0.1"]),
        (Track("x", 1, 20, log=True), ["1", "2", "5", "10", "20"]),
        (Track("x", 0.3, 0.3), ["0.3"]),
        (Track("x", 3, 4, log=True), ["3", "3.2", "3.4", "3.6", "3.8", "4"]),
        (Track("kind", choices=("true", "<b>")), ["true", "<b>"]),
    ],
)
def test_ticks_are_round_and_within_the_axis(track, texts):
    assert [text for _, text in track.ticks] == texts
    assert all(-1e-9 <= height <= 1 + 1e-9 for height, _ in track.ticks)


def test_what_a_line_is_shows():
    line = TrialLine((1e-2, 0.5, 0.6), 0.5, finished=True)
    pictures = [
        parallel_figure(TRACKS, [line, dataclasses.replace(line, **change)], "t", "f", "s").png
        for change in (
            {"values": (1e-3, 0.5, 0.6)}, {"values": (None, 0.5, 0.6)}, {"score": 0.1},
            {"values": (1e-3, 0.5, None)}, {"values": (1e-3, 0.5, 0.6), "chosen": True},
            {"values": (1e-3, 0.5, 0.6), "finished": False},
        )
    ]  # fmt: skip
    assert len(set(pictures)) == len(pictures)


def test_no_trial_cannot_be_drawn():
    with pytest.raises(InputError, match="two tracks and a trial"):
        parallel_figure(TRACKS, [], "t", "f", "s")
