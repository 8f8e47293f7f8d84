"""Metrics of counted voxels, against counting them one by one and against SimpleITK."""

import math

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own name for itself
from hypothesis import given, settings
from measuring import Labels, masks, measure, random_masks, value

OVERLAPS = ("dice", "iou", "precision", "recall")


def by_counting(prediction: Labels, truth: Labels) -> dict[str, float]:
    predicted = {tuple(place) for place in np.argwhere(prediction)}
    true = {tuple(place) for place in np.argwhere(truth)}
    common = len(predicted & true)
    return {
        "dice": 2 * common / (len(predicted) + len(true)),
        "dice_present": 2 * common / (len(predicted) + len(true)),
        "iou": common / len(predicted | true),
        "precision": common / len(predicted),
        "recall": common / len(true),
        "volume_difference": (len(predicted) - len(true)) / len(true),
        "avd": 100 * abs(len(predicted) - len(true)) / len(true),
    }


@pytest.mark.parametrize("shape", [(7, 6, 5), (9, 8, 1)])
@pytest.mark.parametrize("seed", range(8))
def test_counts_agree_with_counting_voxels_one_by_one(shape, seed):
    prediction, truth = random_masks(shape, seed)
    expected = by_counting(prediction, truth)
    assert {n: value(n, prediction, truth) for n in expected} == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_counts_agree_with_simpleitk(seed):
    prediction, truth = random_masks((9, 8, 7), seed)
    measures = sitk.LabelOverlapMeasuresImageFilter()
    # ITK takes its second image for the truth.
    measures.Execute(sitk.GetImageFromArray(prediction), sitk.GetImageFromArray(truth))
    assert value("dice", prediction, truth) == pytest.approx(measures.GetDiceCoefficient())
    assert value("iou", prediction, truth) == pytest.approx(measures.GetJaccardCoefficient())
    missed, invented = measures.GetFalseNegativeError(), measures.GetFalseDiscoveryRate()
    assert value("recall", prediction, truth) == pytest.approx(1 - missed)
    assert value("precision", prediction, truth) == pytest.approx(1 - invented)


@settings(deadline=None, max_examples=60)
@given(masks(4, 3, 2), masks(4, 3, 2))
def test_overlaps_are_bounded_and_know_each_other(prediction: Labels, truth: Labels):
    dice, iou, precision, recall = (value(name, prediction, truth) for name in OVERLAPS)
    assert 0 <= iou <= dice <= 1
    assert dice == pytest.approx(2 * iou / (1 + iou))
    assert min(precision, recall) - 1e-12 <= dice <= max(precision, recall) + 1e-12
    assert precision == value("recall", truth, prediction)
    assert iou == value("iou", truth, prediction)


def test_what_is_empty_in_both_is_perfect_or_left_out():
    nothing = np.zeros((3, 3, 2), np.uint8)
    assert [value(name, nothing, nothing) for name in OVERLAPS] == [1.0] * 4
    assert math.isnan(value("dice_present", nothing, nothing))
    assert value("volume_difference", nothing, nothing) == 0
    assert value("avd", nothing, nothing) == 0


def test_what_is_empty_in_one_has_no_overlap():
    nothing, something = np.zeros((3, 3, 2), np.uint8), np.zeros((3, 3, 2), np.uint8)
    something[1, 1, 1] = 1
    for name in (*OVERLAPS, "dice_present"):
        assert value(name, nothing, something) == 0
        assert value(name, something, nothing) == 0


def test_a_missed_structure_has_lost_its_volume_and_an_invented_one_has_no_relation():
    nothing, something = np.zeros((3, 3, 2), np.uint8), np.ones((3, 3, 2), np.uint8)
    assert value("volume_difference", nothing, something) == -1
    assert value("avd", nothing, something) == 100
    assert math.isnan(value("volume_difference", something, nothing))
    assert math.isnan(value("avd", something, nothing))


def test_the_volume_difference_keeps_its_sign():
    truth = np.array([[1, 1, 0, 0]], np.uint8)
    more, less = np.array([[0, 1, 1, 1]], np.uint8), np.array([[1, 0, 0, 0]], np.uint8)
    assert measure("volume_difference", more, truth, (1.0, 1.0)) == {1: 0.5}
    assert measure("volume_difference", less, truth, (1.0, 1.0)) == {1: -0.5}
    assert measure("avd", less, truth, (1.0, 1.0)) == {1: 50.0}
