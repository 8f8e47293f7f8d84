import dataclasses
import json

import pytest
from made_up_study import MadeUpStudy, crowd
from test_figures import pixels

from uda_study.errors import InputError
from uda_study.report.budget_plot import BudgetCurve, budget_figure
from uda_study.report.sections.budget import section


def material(study: MadeUpStudy, alg: str = "tpe", enqueue: int = 0):
    spec = {"search": {"alg": alg}, "enqueue": [{}] * enqueue, "parameters": {}}
    return dataclasses.replace(study.material, spec=spec)


def searched(*dice: float, cell: str = "g3", **other) -> MadeUpStudy:
    study = MadeUpStudy()
    scores = ("entropy", "entropy_fg", "consistency", "score")
    trials = [(value, dict.fromkeys(scores, n / 10)) for n, value in enumerate(dice)]
    study.search(cell, trials, factors={"depth": 'a<&"$x'}, **other)
    return study


def test_a_sampler_that_learns_gets_its_course_and_no_expectation():
    (exhibit,) = section(material(searched(0.2, 0.6, 0.4))).exhibits
    assert "no expectation" in exhibit.caption
    assert "1 cell, 3 search trials" in exhibit.caption
    assert pixels(exhibit.picture).std() > 5


def test_random_trials_get_expectations_without_the_given_settings():
    study = searched(0.2, 0.6, 0.4, 0.5, 0.7)
    (exhibit,) = section(material(study, "random")).exhibits
    assert "Dodge et al. 2019" in exhibit.caption
    assert "published setting was not drawn" in exhibit.caption
    (more,) = section(material(study, "random", enqueue=2)).exhibits
    assert "settings given beforehand were not drawn" in more.caption
    assert more.picture != exhibit.picture


@pytest.mark.parametrize("alg", ["tpe", "random"])
def test_one_trial_has_a_course_but_no_expectation(alg):
    alone = section(material(searched(0.2), alg))
    assert (alone is None) == (alg == "random")


def test_many_methods_share_a_figure():
    (exhibit,) = section(material(crowd(8))).exhibits
    assert "8 cells, 16 search trials" in exhibit.caption


@pytest.mark.parametrize("alg", ["tpe", "random"])
def test_nothing_finished_and_nothing_searched_show_nothing(alg):
    study = MadeUpStudy()
    study.confirm("g3", 0.5)
    for number in range(4):
        study.train("g5", "search", number=number, status="failed")
    assert section(material(study, alg)) is None


def test_unfinished_trials_among_the_finished_are_counted():
    study = searched(0.2, 0.6, 0.4, 0.5)
    for status in ("pruned", "diverged"):
        study.train("g3", "search", number=9, seed=len(status), status=status,
                    factors=json.loads(study.runs[0]["factors"]))  # fmt: skip
    for alg in ("tpe", "random"):
        (exhibit,) = section(material(study, alg)).exhibits
        assert "6 search trials" in exhibit.caption


def test_each_line_of_a_panel_shows():
    whole = BudgetCurve("c", "r", (0.2, 0.4), (0.3, 0.6), 0.1, (0.2, 0.6))
    drawn = [
        budget_figure([dataclasses.replace(whole, **change)], "t", "f", "best", expected=False)
        for change in ({}, {"blind": (0.2, 0.3)}, {"best": (0.3, 0.5)}, {"published": None},
                       {"trials": (0.2, 0.5)}, {"remark": ""})
    ]  # fmt: skip
    assert len({picture.png for picture in drawn}) == len(drawn)


def test_no_finite_dice_cannot_be_drawn():
    with pytest.raises(InputError, match="finite Dice"):
        budget_figure([BudgetCurve("c", "", (), ())], "t", "", "", expected=True)
