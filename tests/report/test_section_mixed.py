"""The mixed model in a report."""

import pytest
from made_up_study import MadeUpStudy

from uda_study.report.sections import mixed

MANY = tuple(f"p{number:02d}" for number in range(20))
SEEDS = (1, 2, 3, 4, 5)


def study(subjects=MANY, seeds=SEEDS, cells=("g3", "g5")) -> MadeUpStudy:
    made = MadeUpStudy(subjects)
    for number, cell in enumerate(cells):
        made.confirm(cell, 0.5 + 0.2 * number, seeds=seeds)
    return made


def test_every_row_is_compared_with_the_first():
    (exhibit,) = mixed.section(study().material).exhibits
    assert "differences from depth g5" in exhibit.caption
    assert "20 subjects, 5 seeds" in exhibit.caption
    assert "depth g3" in exhibit.html
    assert "−0.2" in exhibit.html


@pytest.mark.parametrize(
    "small", [study(subjects=MANY[:19]), study(seeds=SEEDS[:4]), study(cells=("g3",))]
)
def test_a_study_that_is_too_small_has_no_such_section(small):
    assert mixed.section(small.material) is None


def test_a_model_that_cannot_be_fitted_gives_its_reason(monkeypatch):
    monkeypatch.setattr(mixed, "mixed_model", lambda _: mixed.Mixed("g5", reason="nothing varies"))
    (exhibit,) = mixed.section(study().material).exhibits
    assert exhibit.caption.endswith("no model, nothing varies.")
    assert exhibit.html == ""
