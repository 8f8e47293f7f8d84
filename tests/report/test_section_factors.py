import dataclasses

import numpy as np
import pytest
from made_up_study import ODD, MadeUpStudy, depths_material, odd_material, three_depths
from test_figures import pixels

from uda_study.errors import InputError
from uda_study.report import style
from uda_study.report.factor_levels import factor_curves, in_order, steps
from uda_study.report.factor_plot import Band, FactorPanel, factor_figure
from uda_study.report.sections.factors import section
from uda_study.study import statistics


def curves(study: MadeUpStudy):
    return [curve for table in study.material.board.tables for curve in factor_curves(table)]


@pytest.mark.parametrize("name", ODD)
def test_factors_bear_odd_studies(name, monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)
    found = section(odd_material(name))
    without = name in ("one cell", "nothing finished", "twelve methods")
    assert (found is None) == without
    if found is not None:
        picture, table = found.exhibits
        assert pixels(picture.picture).std() > 5
        assert "best interior − end" in table.html


@pytest.mark.parametrize(
    ("values", "ordered"),
    [
        ([10, 9, 9.5], [9, 9.5, 10]),
        (["g10", "g9", "g10"], ["g9", "g10"]),
        (["0.5", "0.25"], ["0.25", "0.5"]),
        (["g1", "h2"], None),
        (["a", "b"], None),
        ([True, False], None),
        ([1, "g2"], None),
        ([float("nan"), 1.0], None),
        ([[1], [2]], None),
        ([None, 1], None),
    ],
)
def test_only_numbers_and_numbered_names_are_in_order(values, ordered):
    assert in_order(values) == ordered


def test_a_curve_is_of_the_seeds_that_all_values_have():
    study = MadeUpStudy()
    study.confirm("g3", 0.3, seeds=(1, 2, 3))
    study.confirm("g5", 0.6, seeds=(2, 3, 4))
    study.confirm("g11", 0.5, seeds=(3, 2))
    (curve,) = curves(study)
    assert curve.values == ("g3", "g5", "g11")
    assert curve.seeds == (2, 3)
    assert curve.dice.shape == (3, 8, 2)
    rows = {row.factors["depth"]: row for row in study.material.board.tables[0].rows}
    assert curve.dice[1, 0, 1] == rows["g5"].by_seed["a"][3]
    expected = np.mean([[seeds[2], seeds[3]] for seeds in rows["g3"].by_seed.values()])
    assert curve.means[0] == pytest.approx(expected)


def test_values_without_common_seeds_or_confirmations_make_no_curve():
    apart = MadeUpStudy()
    for seed, depth in enumerate(("g3", "g5", "g7")):
        apart.confirm(depth, 0.5, seeds=(seed,))
    assert curves(apart) == []
    searched = three_depths()
    searched.runs = [
        run for run in searched.runs if (run["cell"], run["kind"]) != ("g7", "confirm")
    ]
    assert curves(searched) == []


def test_every_setting_of_the_other_factors_is_a_curve():
    study = MadeUpStudy()
    for width in (8, 16):
        for depth in ("g3", "g5", "g7"):
            study.confirm(f"{depth} {width}", 0.5, factors={"depth": depth, "net.width": width})
    found = curves(study)
    assert [(curve.factor, curve.setting) for curve in found] == [
        ("depth", "width 16"),
        ("depth", "width 8"),
    ] or [(curve.factor, curve.setting) for curve in found] == [
        ("depth", "width 8"),
        ("depth", "width 16"),
    ]
    assert pixels(section(study.material).exhibits[0].picture).std() > 5


def test_the_best_interior_value_is_compared_with_both_ends():
    study = MadeUpStudy()
    for depth, dice in (("1", 0.2), ("2", 0.4), ("3", 0.7), ("4", 0.6), ("5", 0.3)):
        study.confirm(depth, dice)
    (curve,) = curves(study)
    found = steps(curve)
    assert [(step.kind, step.names) for step in found] == [
        ("best interior − end", "3 − 1"),
        ("best interior − end", "3 − 5"),
        ("neighbours", "2 − 1"),
        ("neighbours", "3 − 2"),
        ("neighbours", "4 − 3"),
        ("neighbours", "5 − 4"),
    ]
    compared = [curve.compare(2, 0), curve.compare(2, 4)]
    assert found[0].found == compared[0]
    rows = {row.factors["depth"]: row for row in study.material.board.tables[0].rows}
    assert found[0].found == statistics.compare(rows["3"].by_seed, rows["1"].by_seed)
    adjusted = statistics.holm([step.found.p for step in found], of=10)
    assert [step.p_holm for step in found] == adjusted


def test_with_three_values_no_pair_is_listed_twice():
    (curve,) = curves(three_depths())
    assert [step.names for step in steps(curve)] == ["g5 − g3", "g5 − g7"]


def test_the_section_says_that_it_is_not_from_a_sampler_and_what_cannot_be_told():
    few = section(depths_material("abc"))
    assert "not from the trials of a sampler" in few.exhibits[0].caption
    assert "Descriptive only" in few.exhibits[1].caption
    assert "Descriptive only" not in section(depths_material()).exhibits[1].caption
    assert few.title == "Depth"


def test_the_figure_is_the_same_twice_and_shows_bounds_and_seeds():
    (curve,) = curves(three_depths())
    panel = FactorPanel("t", [curve], [Band("low", 0.1, (0.05, 0.15), upper=False)])
    picture = factor_figure("depth", [panel])
    assert picture == factor_figure("depth", [panel])
    assert factor_figure("depth", [dataclasses.replace(panel, bands=())]) != picture
    one_seed = dataclasses.replace(curve, seeds=curve.seeds[:1], dice=curve.dice[:, :, :1])
    assert factor_figure("depth", [FactorPanel("t", [one_seed], panel.bands)]) != picture


def test_a_panel_without_curves_is_refused():
    with pytest.raises(InputError, match="at least one curve"):
        factor_figure("depth", [FactorPanel("t", [])])
    with pytest.raises(InputError, match="at least one curve"):
        factor_figure("depth", [])


def test_where_single_values_are_missing_the_larger_block_is_kept():
    study = three_depths("abcdef")
    measured = [case for case in study.cases if case["key"] == "g5/confirm/0/2/"]
    measured[0]["value"] = float("nan")
    (curve,) = curves(study)
    assert curve.subjects == tuple("bcdef")
    assert curve.seeds == (1, 2, 3)
    for case in measured[1:]:
        case["value"] = float("nan")
    (curve,) = curves(study)
    assert curve.subjects == tuple("abcdef")
    assert curve.seeds == (1, 3)


def test_a_search_trial_stands_for_no_value_even_on_a_common_seed():
    study = MadeUpStudy()
    study.confirm("g3", 0.3)
    study.confirm("g5", 0.6)
    study.search("g7", [(0.5, {"entropy": 0.1})], seed=1)
    assert curves(study) == []
