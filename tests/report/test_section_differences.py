import dataclasses
import math
from itertools import combinations

import numpy as np
import pytest
from made_up_study import ODD, depths_material, odd_material, three_depths
from test_figures import pixels

from uda_study.errors import InputError
from uda_study.report import forest as forest_module
from uda_study.report import style
from uda_study.report.forest import ForestRow, forest_figure
from uda_study.report.frame import Heading
from uda_study.report.pair_matrix import pair_matrix
from uda_study.report.sections import differences
from uda_study.study import statistics

ROWS = [
    ForestRow("b", -0.1, (-0.2, -0.01), "worse", strong=True),
    ForestRow("c", -0.2, (-0.5, 0.1), "≈"),
]
MATRIX = np.array([[np.nan, 0.1, 0.3], [np.nan, np.nan, 0.2], [np.nan] * 3])
SIGNIFICANT = np.array([[np.nan, 0.6, 0.01], [np.nan, np.nan, 0.4], [np.nan] * 3])


@pytest.mark.parametrize("name", ODD)
def test_differences_bear_odd_studies(name, monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)
    material = odd_material(name)
    most = max(
        sum(row.rank is not None and not row.provisional for row in table.rows)
        for table in material.board.tables
    )
    found = differences.section(material)
    assert (found is None) == (most < 2)
    for exhibit in found.exhibits if found else ():
        assert pixels(exhibit.picture).std() > 5


def test_the_matrix_has_the_p_that_the_words_follow(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        differences,
        "pair_matrix",
        lambda *arguments: drawn.append(arguments) or pair_matrix(*arguments),
    )
    material = depths_material()
    differences.section(material)
    ((names, difference, p, _),) = drawn
    rows = [row for row in material.board.tables[0].rows if row.rank]
    assert names == ["depth g5", "depth g7", "depth g3"]
    compared = [statistics.compare(a.by_seed, b.by_seed) for a, b in combinations(rows, 2)]
    above = np.triu_indices(3, 1)
    assert difference[above] == pytest.approx([one.difference for one in compared])
    adjusted = statistics.holm([one.p for one in compared])
    expected = [max(p, one.signed_rank) for p, one in zip(adjusted, compared, strict=True)]
    assert p[above] == pytest.approx(expected)
    assert expected != pytest.approx(adjusted)
    assert np.isnan(p[np.tril_indices(3)]).all()


def test_the_forest_has_what_the_leaderboard_says(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        differences, "forest_figure", lambda *args: drawn.append(args) or forest_figure(*args)
    )
    material = depths_material()
    differences.section(material)
    ((first, rows, _, facts),) = drawn
    against = [row.against_first for row in material.board.tables[0].rows if row.against_first]
    assert first == "depth g5"
    assert [(row.difference, row.interval, row.words) for row in rows] == [
        (one.difference, one.ci95, one.verdict) for one in against
    ]
    assert [row.strong for row in rows] == [True, True]
    assert "8 test subjects, 3 seeds" in facts


def test_few_subjects_are_descriptive_only_and_have_no_p(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        differences,
        "pair_matrix",
        lambda *arguments: drawn.append(arguments) or pair_matrix(*arguments),
    )
    found = differences.section(depths_material("abc"))
    assert all("Descriptive only" in exhibit.caption for exhibit in found.exhibits)
    assert np.isnan(drawn[0][2]).all()


def test_few_subjects_are_said_to_be_only_described():
    five = differences.section(depths_material("abcde"))
    assert all("Descriptive only" in exhibit.caption for exhibit in five.exhibits)
    six = differences.section(depths_material("abcdef"))
    assert not any("Descriptive only" in exhibit.caption for exhibit in six.exhibits)


def test_two_rows_have_a_forest_alone():
    study = three_depths()
    study.runs = [run for run in study.runs if run["cell"] != "g3"]
    assert len(differences.section(study.material).exhibits) == 1


def test_the_forest_marks_intervals_and_what_is_told_apart():
    picture = forest_figure("a", ROWS, "t", "f")
    assert picture == forest_figure("a", ROWS, "t", "f")
    weak = [dataclasses.replace(ROWS[0], strong=False), ROWS[1]]
    assert forest_figure("a", weak, "t", "f") != picture
    bare = [dataclasses.replace(row, interval=(None, None)) for row in ROWS]
    assert forest_figure("a", bare, "t", "f") != picture


def test_the_grey_band_is_as_wide_as_the_rope(monkeypatch):
    narrow = [ForestRow("b", -0.01, (-0.02, 0.0), "≈")]
    before = forest_figure("a", narrow, "t", "f")
    monkeypatch.setattr(forest_module, "ROPE", 0.011)
    assert forest_figure("a", narrow, "t", "f") != before


def test_a_frame_marks_what_is_significant():
    heading = Heading("t", "f")
    marked = pair_matrix("abc", MATRIX, SIGNIFICANT, heading)
    unmarked = pair_matrix("abc", MATRIX, np.where(SIGNIFICANT == 0.01, 0.06, SIGNIFICANT), heading)
    assert marked == pair_matrix("abc", MATRIX, SIGNIFICANT, heading)
    dark = [(pixels(picture).sum(axis=2) < 200).sum() for picture in (marked, unmarked)]
    assert dark[0] > dark[1] + 300


def test_differences_that_cannot_be_drawn_are_refused():
    with pytest.raises(InputError, match="must be finite"):
        forest_figure("a", [dataclasses.replace(ROWS[0], difference=math.nan)], "t", "f")
    with pytest.raises(InputError, match="at least one row"):
        forest_figure("a", [], "t", "f")
    with pytest.raises(InputError, match="square of values"):
        pair_matrix("ab", MATRIX, SIGNIFICANT, Heading("t"))


def test_rows_that_wait_for_confirmations_are_not_compared():
    study = three_depths()
    study.runs = [run for run in study.runs if run["kind"] != "confirm"]
    assert differences.section(study.material) is None
