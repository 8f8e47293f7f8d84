"""Metrics with one value for all structures together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from measuring import Labels, measure

from uda_study.metric import ALL

label_maps = arrays.arrays(np.uint8, (4, 3, 3), elements=st.integers(0, 3))


def generalised(prediction: Labels, truth: Labels, classes=(1, 2, 3)) -> float:
    return measure("generalised_dice", prediction, truth, classes=classes)[ALL]


def missed(prediction: Labels, truth: Labels, classes=(1, 2, 3)) -> float:
    return measure("n_missed", prediction, truth, classes=classes)[ALL]


def one_hot(labels: Labels) -> np.ndarray:
    return np.stack([(labels == k).ravel() for k in (1, 2, 3)]).astype(float)


@settings(deadline=None, max_examples=60)
@given(label_maps, label_maps)
def test_generalised_dice_is_its_formula_on_one_hot_maps(prediction: Labels, truth: Labels):
    p, t = one_hot(prediction), one_hot(truth)
    with np.errstate(divide="ignore"):
        weights = 1 / np.square(t.sum(1))
    if np.isinf(weights).all():
        expected = float(p.sum() == 0)
    else:
        weights[np.isinf(weights)] = weights[np.isfinite(weights)].max()
        expected = 2 * (weights @ np.minimum(p, t)).sum() / (weights @ (p + t)).sum()
    assert generalised(prediction, truth) == pytest.approx(expected)


@settings(deadline=None, max_examples=30)
@given(label_maps, label_maps, st.permutations([0, 1, 2, 3]))
def test_generalised_dice_is_bounded_and_does_not_know_names(a: Labels, b: Labels, order):
    names = np.array([0, *[k for k in order if k]], np.uint8)
    assert 0 <= generalised(a, b) <= 1
    assert generalised(names[a], names[b]) == pytest.approx(generalised(a, b))
    assert generalised(b, b) == 1


def test_a_small_structure_weighs_more_than_a_large_one():
    truth = np.zeros((10, 10, 1), np.uint8)
    truth[:5], truth[9, 9] = 1, 2
    no_small, no_large = truth * (truth == 1), truth * (truth == 2)
    assert generalised(no_small, truth, (1, 2)) < 0.05
    assert generalised(no_large, truth, (1, 2)) > 0.95


def test_one_structure_has_its_own_dice():
    random = np.random.default_rng(0)
    a, b = (random.integers(0, 2, (5, 4, 3)).astype(np.uint8) for _ in range(2))
    assert generalised(a, b, (1,)) == pytest.approx(measure("dice", a, b)[1])


def test_only_true_structures_of_which_nothing_is_predicted_are_missed():
    truth = np.array([[[0, 1, 1, 2, 2, 3]]], np.uint8)
    prediction = np.array([[[4, 0, 0, 0, 2, 0]]], np.uint8)
    assert missed(prediction, truth, (1, 2, 3, 4, 5)) == 2
    assert missed(prediction, truth, (2, 3)) == 1
    assert missed(truth, truth) == 0
    assert missed(np.zeros_like(truth), np.zeros_like(truth)) == 0
