import dataclasses

import numpy as np
import pytest
from made_up_study import ODD, MadeUpStudy, depths_material, odd_material, three_depths
from test_figures import pixels

from uda_study.errors import InputError
from uda_study.report import style
from uda_study.report.rank_plot import RankRow, rank_figure
from uda_study.report.sections.ranks import rank_shares, section
from uda_study.study import statistics

ROWS = [RankRow("a", 0.7, 1, (1, 2), (0.8, 0.2)), RankRow("b", 0.6, 2, (1, 2), (0.2, 0.8))]


@pytest.mark.parametrize("name", ODD)
def test_ranks_bear_odd_studies(name, monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)
    material = odd_material(name)
    ranked = sum(row.rank_ci is not None for table in material.board.tables for row in table.rows)
    found = section(material)
    assert (found is None) == (ranked < 2 and name != "one subject")
    if found is not None:
        assert all(pixels(exhibit.picture).std() > 5 for exhibit in found.exhibits)


def test_every_table_has_a_figure_of_its_own():
    both = odd_material("two directions")
    captions = [exhibit.caption for exhibit in section(both).exhibits]
    assert [caption.split(",")[0] for caption in captions] == ["phantom ct → mr", "phantom mr → ct"]
    assert "Descriptive only" not in captions[0]
    assert "8 test subjects" in captions[0]


def test_few_subjects_are_called_descriptive_and_one_has_no_draws():
    assert "Descriptive only" in section(depths_material("abc")).exhibits[0].caption
    alone = section(depths_material("a")).exhibits[0].caption
    assert "nothing can be drawn anew" in alone
    assert "bootstrap" not in alone


def test_shares_are_of_the_same_draws_as_the_intervals():
    values = np.random.default_rng(1).normal(0.5, 0.1, size=(4, 7))
    shares = rank_shares(values)
    assert shares.shape == (4, 4)
    assert shares.sum(axis=1) == pytest.approx(1)
    for share, (low, high) in zip(shares, statistics.rank_intervals(values), strict=True):
        assert share[: low - 1].sum() <= 0.025
        assert share[high:].sum() <= 0.025
        assert share[low - 1] > 0
        assert share[high - 1] > 0


def test_the_better_of_two_has_the_first_rank_in_all_draws():
    assert rank_shares(np.array([[0.1, 0.2], [0.8, 0.9]])).tolist() == [[0, 1], [1, 0]]


def test_the_other_order_of_ranks_is_named_where_it_differs():
    study = MadeUpStudy()
    study.confirm("steady", 0.5)
    study.confirm("wild", 0.5)
    for case in study.cases:
        if case["metric"] == "dice":
            steady = str(case["key"]).startswith("steady")
            case["value"] = 0.5 if steady else (0.45 if case["subject"] in "abcde" else 0.9)
    caption = section(study.material).exhibits[0].caption
    assert "puts first: depth steady (Kendall's tau between the two orders: -1.00)" in caption


def test_the_figure_shows_intervals_and_shares_and_is_the_same_twice():
    picture = rank_figure(ROWS, "t", "f")
    assert picture == rank_figure(ROWS, "t", "f")
    bare = [dataclasses.replace(row, interval=None) for row in ROWS]
    assert rank_figure(bare, "t", "f") != picture
    assert rank_figure([dataclasses.replace(row, shares=()) for row in ROWS], "t", "f") != picture


def test_ranks_that_cannot_be_are_refused():
    with pytest.raises(InputError, match=r"must be 1\.\.2"):
        rank_figure([ROWS[0], dataclasses.replace(ROWS[1], rank=3)], "t", "f")
    with pytest.raises(InputError, match="at least two rows"):
        rank_figure(ROWS[:1], "t", "f")


def test_rows_that_wait_for_confirmations_are_not_ranked():
    study = three_depths()
    study.runs = [run for run in study.runs if run["kind"] != "confirm"]
    assert section(study.material) is None
