import dataclasses
import math

import numpy as np
import pytest
from made_up_study import ODD, MadeUpStudy, odd_material
from test_figures import pixels

from uda_study.errors import InputError
from uda_study.report import style
from uda_study.report.js_plots import Box, Dot, js_against_dice, js_boxes
from uda_study.report.rank_correlation import spearman
from uda_study.report.sections import divergence

BOXES = [Box("before", (0.6, 0.7), (0.4, 0.5)), Box("within", (0.1, 0.2), (), reference=True)]
DOTS = {"d mr->ct": [Dot("gan", 0.1, 0.7), Dot("gan", 0.2, 0.6), Dot(None, 0.6, 0.1)]}


def translating_study() -> MadeUpStudy:
    study = MadeUpStudy(intensities=True)
    about = {"method": "cyclegan", "factors": {"method": "cyclegan"}}
    for number, js in enumerate((0.3, 0.2, 0.15)):
        study.train("gan", "search", 0.9 - 2 * js, number=number, js=js, **about)
    study.confirm("gan", 0.7, js=0.1, **about)
    study.confirm("dam", 0.8, method="dam", factors={"method": "dam"})
    study.bounds()
    return study


@pytest.fixture
def drawn(monkeypatch):
    """What the section hands to its two figures."""
    found = {}

    def noted(name, draw):
        def call(*arguments):
            found[name] = arguments
            return draw(*arguments)

        return call

    monkeypatch.setattr(divergence, "js_boxes", noted("boxes", js_boxes))
    monkeypatch.setattr(divergence, "js_against_dice", noted("dots", js_against_dice))
    return found


@pytest.mark.parametrize("name", ODD)
def test_only_a_study_that_translates_images_has_intensities(name, monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)
    found = divergence.section(odd_material(name))
    assert (found is not None) == (name == "twelve methods")


def test_a_box_holds_every_subject_before_after_and_within(drawn):
    divergence.section(translating_study().material)
    before, after, within = drawn["boxes"][0]
    subjects = 0.01 * np.arange(8)
    assert before.js == pytest.approx(0.6 + subjects)
    assert before.excess == pytest.approx(0.4 + subjects)
    assert after.name == "cyclegan"
    assert after.js == pytest.approx(0.1 + subjects), "confirmations alone, not the search"
    assert within.js == pytest.approx(0.2 + subjects)
    assert (within.reference, within.excess) == (True, ())


def test_dots_are_all_finished_trainings_but_bounds(drawn):
    found = divergence.section(translating_study().material)
    panels, remarks = drawn["dots"]
    dots = panels["phantom mr->ct"]
    assert (
        sorted(dot.method or "as they are" for dot in dots)
        == ["as they are"] * 3 + ["cyclegan"] * 6
    )
    assert remarks["phantom mr->ct"].endswith("n = 6")
    assert "over 6 trainings that translate" in found.exhibits[1].caption
    assert "not usefulness" in found.exhibits[1].caption


def test_studies_without_js_have_no_section():
    study = translating_study()
    study.cases = [case for case in study.cases if case["metric"] == "dice"]
    assert divergence.section(study.material) is None


def test_translations_without_dice_have_boxes_alone():
    material = translating_study().material
    without = material.cases[material.cases["metric"] != "dice"]
    found = divergence.section(dataclasses.replace(material, cases=without))
    assert len(found.exhibits) == 1


def test_the_figures_are_the_same_twice_and_show_what_they_get():
    assert js_boxes(BOXES, "t", "f") == js_boxes(BOXES, "t", "f")
    moved = [BOXES[0], dataclasses.replace(BOXES[1], js=(0.3, 0.4))]
    assert js_boxes(moved, "t", "f") != js_boxes(BOXES, "t", "f")
    without = [dataclasses.replace(box, excess=()) for box in BOXES]
    wide, narrow = (pixels(js_boxes(boxes, "t", "f")).shape[1] for boxes in (BOXES, without))
    assert wide > narrow
    picture = js_against_dice(DOTS, {})
    assert picture == js_against_dice(DOTS, {})
    assert picture != js_against_dice({"d mr->ct": DOTS["d mr->ct"][:2]}, {})


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="values in every box"):
        js_boxes([dataclasses.replace(BOXES[0], js=())], "t", "f")
    with pytest.raises(InputError, match="finite values"):
        js_against_dice({"d": [Dot("gan", math.nan, 0.5)]}, {})


def test_spearman_is_of_ranks_with_the_interval_of_bonett_and_wright():
    found = spearman([1, 2, 3, 4, 5, 60], [2, 1, 4, 3, 6, 50])
    assert found.rho == pytest.approx(1 - 6 * 4 / (6 * 35))
    margin = 1.959964 * math.sqrt((1 + found.rho**2 / 2) / 3)
    assert found.ci95 == pytest.approx(
        [math.tanh(math.atanh(found.rho) + sign * margin) for sign in (-1, 1)], abs=1e-5
    )


def test_strata_take_out_what_differs_between_them():
    first, second = [1, 2, 3, 11, 12, 13], [3, 2, 1, 13, 12, 11]
    strata = ["a"] * 3 + ["b"] * 3
    assert spearman(first, second).rho > 0
    assert spearman(first, second, strata).rho == pytest.approx(-1)
    assert spearman(first, second, strata).ci95 is None
    mixed = spearman([*first, 21, 22, 23], [*second, 21, 22, 23], [*strata, *"ccc"])
    alone = 1.959964 * math.sqrt((1 + mixed.rho**2 / 2) / (9 - 3 - 2))
    assert mixed.ci95[1] == pytest.approx(math.tanh(math.atanh(mixed.rho) + alone), abs=1e-5)


def test_too_few_or_constant_values_have_no_correlation():
    assert spearman([1, 2], [1, 2]) is None
    assert spearman([1, 1, 1], [1, 2, 3]) is None
    assert spearman([1, 2, 3], [1, 2, 3], ["a", "b", "c"]) is None
    assert spearman([], []) is None
    assert str(spearman([1, 2, 3], [1, 3, 2])) == "0.50"


def test_a_box_of_a_single_search_trial_is_called_provisional(drawn):
    study = translating_study()
    study.runs = [run for run in study.runs if run["kind"] != "confirm"]
    divergence.section(study.material)
    assert [box.name for box in drawn["boxes"][0]][1] == "cyclegan (provisional)"
