import dataclasses
import math
import re

import pytest
from made_up_study import ODD, MadeUpStudy, odd_material, three_depths
from test_figures import pixels

from uda_study.errors import InputError
from uda_study.report import style
from uda_study.report.price_plot import PricedCell, price_figure
from uda_study.report.sections.validators import section
from uda_study.report.validator_plot import validator_figure
from uda_study.report.validator_trials import points, search_cells, worst_regret
from uda_study.study.leaderboard import mean_dice

CELL = PricedCell("a", (0.3, 0.5, 0.6), chosen=0.5, oracle=0.6, published=0.3)


def cells_of(study: MadeUpStudy):
    material = study.material
    ((_, cells),) = search_cells(material.runs, mean_dice(material.cases)).items()
    return cells


def searched(selection: str = "blind/rank_avg") -> MadeUpStudy:
    study = MadeUpStudy(common={"selection": selection})
    trials = [(0.3, 0.9, -0.1), (0.5, 0.5, 0.2), (0.7, 0.2, 0.4), (0.6, 0.1, 0.3)]
    study.search("g3", [(dice, {"entropy": e, "snd": s, "last": 3}) for dice, e, s in trials])
    study.search("g5", [(0.1, {"entropy": 0.1, "snd": 5}), (0.2, {"entropy": 0.2, "snd": 4})])
    return study


@pytest.mark.parametrize("name", ODD)
def test_validators_bear_odd_studies(name, monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)
    found = section(odd_material(name))
    assert (found is None) == (name in ("one seed, no baselines", "nothing finished"))
    for exhibit in found.exhibits if found else ():
        assert exhibit.html or pixels(exhibit.picture).std() > 5


def test_the_price_of_a_cell_is_that_of_the_leaderboard(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "uda_study.report.sections.validators.price_figure",
        lambda *arguments: drawn.append(arguments) or price_figure(*arguments),
    )
    material = searched().material
    section(material)
    ((rows, _, facts),) = drawn
    expected = {f"depth {row.cell}": row.oracle for row in material.board.tables[0].rows}
    for row in rows:
        oracle = expected[row.name]
        assert (row.oracle, row.gap) == pytest.approx((oracle.dice, oracle.gap))
    assert facts == "2 cells, 6 finished search trials"
    assert len(rows[0].trials) == 4
    assert rows[0].published == min(rows[0].trials)


def test_places_are_within_a_cell_and_scores_stand_where_there_is_one_cell():
    both, first = points(cells_of(searched()), "blind/snd"), cells_of(searched())[:1]
    assert [round(point.x, 3) for point in both] == [0, 0.333, 1, 0.667, 1, 0]
    assert [point.x for point in points(first, "blind/snd")] == [-0.1, 0.2, 0.4, 0.3]
    assert [round(point.x, 3) for point in points(first, "blind/rank_avg")] == [1, 0.667, 0.333, 0]
    assert [point.chosen for point in both] == [False, False, True, False, True, False]
    assert [point.oracle for point in both] == [False, False, True, False, False, True]
    assert both[2].lost == 0 == both[5].lost
    assert both[4].lost == pytest.approx(both[4].dice - both[5].dice)


def test_scores_that_are_missing_leave_their_trials_out():
    study = searched()
    study.runs[1]["blind/snd"] = math.nan
    study.runs[5]["blind/snd"] = None
    assert [point.cell for point in points(cells_of(study), "blind/snd")] == ["g3"] * 3


def test_unfinished_and_untested_trials_are_no_choice():
    study = searched()
    study.train("g5", "search", number=2, status="complete", **{"blind/snd": 99.0})
    study.train("g5", "search", 0.9, number=3, status="pruned", **{"blind/snd": 99.0})
    assert [len(cell.trials) for cell in cells_of(study)] == [4, 2]


def test_the_worst_regret_is_that_of_a_single_cell():
    cells = cells_of(searched())
    lost = [
        max(cell.dice[t["key"]] for t in cell.trials) - cell.chosen_dice("blind/entropy")
        for cell in cells
    ]
    assert worst_regret(cells, "blind/entropy") == pytest.approx(max(lost))
    assert worst_regret(cells, "blind/none") is None


def test_the_table_names_the_rule_and_every_score_with_its_regret():
    found = section(searched("blind/snd").material)
    html = found.exhibits[-1].html
    rows = re.findall(r"<tr><td>(.*?)</td><td>(\d)</td>", html)
    assert ("snd (the rule)", "2") in rows
    assert {"entropy", "rank average", "published"} <= {name for name, _ in rows}
    assert "fold 0" in found.lead
    assert "The same for all trials of a cell: last" in found.exhibits[1].caption


def test_one_trial_a_cell_is_no_choice_and_counted_where_others_have_more():
    lonely = MadeUpStudy()
    lonely.search("g3", [(0.3, {"entropy": 0.1})])
    assert section(lonely.material) is None
    study = searched()
    study.search("g7", [(0.3, {"entropy": 0.1})])
    assert "In 1 cell one trial was finished" in section(study.material).exhibits[0].caption


def test_names_from_files_are_escaped():
    study = MadeUpStudy()
    study.search("a", [(0.3, {"x<b>&": 0.1}), (0.5, {"x<b>&": 0.4}), (0.6, {"x<b>&": 0.6})])
    found = section(study.material)
    assert "x&lt;b&gt;&amp;" in found.exhibits[-1].html
    assert "<b>" not in found.exhibits[-1].html


def test_the_price_figure_marks_both_choices_and_is_the_same_twice():
    picture = price_figure([CELL], "t", "f")
    assert picture == price_figure([CELL], "t", "f")
    for part in ("chosen", "oracle", "published"):
        assert price_figure([dataclasses.replace(CELL, **{part: None})], "t", "f") != picture
    assert dataclasses.replace(CELL, oracle=None).gap is None
    assert CELL.gap == pytest.approx(-0.1)


def test_small_multiples_grow_with_the_scores():
    found = points(cells_of(searched()), "blind/snd")
    small, large = (
        validator_figure({f"s{n}": (found, None) for n in range(count)}, "t", "f", one_cell=False)
        for count in (3, 12)
    )
    assert pixels(large).shape[0] > 2 * pixels(small).shape[0]


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="finite Dice"):
        price_figure([dataclasses.replace(CELL, trials=(math.nan,))], "t", "f")
    with pytest.raises(InputError, match="at least one cell"):
        price_figure([], "t", "f")
    with pytest.raises(InputError, match="points in every panel"):
        validator_figure({"snd": ([], None)}, "t", "f", one_cell=True)


def test_a_study_that_chose_by_its_oracle_is_shown_by_it():
    found = section(three_depths(selection="oracle/dice").material)
    assert "The rule of the study is oracle/dice" in found.exhibits[0].caption
