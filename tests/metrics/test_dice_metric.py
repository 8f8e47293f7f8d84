import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from measuring import Labels, measure

from uda_study import plugins
from uda_study.metric import CaseMetric
from uda_study.metrics.dice import Dice

label_maps = arrays.arrays(np.uint8, (3, 4, 2), elements=st.integers(0, 3))


def dice(prediction: Labels, truth: Labels) -> dict[int, float]:
    return measure("dice", prediction, truth, (1.0,) * truth.ndim, (1, 2, 3))


@settings(deadline=None, max_examples=50)
@given(label_maps, label_maps)
def test_dice_is_symmetric_and_bounded(a: Labels, b: Labels) -> None:
    assert dice(a, b) == dice(b, a)
    assert all(0 <= value <= 1 for value in dice(a, b).values())


@settings(deadline=None, max_examples=20)
@given(label_maps)
def test_a_map_agrees_with_itself(a: Labels) -> None:
    assert set(dice(a, a).values()) == {1.0}


def test_empty_in_both_is_one_and_in_one_is_zero() -> None:
    truth = np.array([0, 1, 1, 0], np.uint8)
    prediction = np.array([0, 0, 2, 0], np.uint8)
    assert dice(prediction, truth) == {1: 0.0, 2: 0.0, 3: 1.0}


def test_only_the_asked_classes_are_measured() -> None:
    truth = np.array([1, 2, 2, 200], np.uint8)
    assert measure("dice", truth, truth, (1.0,), (2, 200)) == {2: 1.0, 200: 1.0}


def test_dice_is_found_by_its_file_name() -> None:
    assert plugins.load("metrics", "dice", CaseMetric) is Dice
