"""Metrics of single lesions, against the steps of the WMH challenge's evaluation in SimpleITK."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own name for itself
from hypothesis import given, settings
from measuring import Labels, masks, value


def lesions_of(mask: Labels) -> np.ndarray:
    """Number the lesions with ITK, whose full connectivity is that of 26 neighbours."""
    return sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask), True))


def overlapped(numbered: np.ndarray, other: Labels) -> float:
    if not numbered.any():
        return 1.0
    return len(set(numbered[other > 0].tolist()) - {0}) / int(numbered.max())


@settings(deadline=None, max_examples=60)
@given(masks(6, 5, 4), masks(6, 5, 4))
def test_lesions_agree_with_the_challenges_steps(prediction: Labels, truth: Labels):
    recall = overlapped(lesions_of(truth), prediction)
    precision = overlapped(lesions_of(prediction), truth)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    assert value("lesion_recall", prediction, truth) == pytest.approx(recall)
    assert value("lesion_f1", prediction, truth) == pytest.approx(f1)


def test_voxels_that_touch_at_a_corner_are_one_lesion():
    truth = np.zeros((5, 5, 5), np.uint8)
    truth[1, 1, 1] = truth[2, 2, 2] = truth[4, 4, 4] = 1
    found = np.zeros_like(truth)
    found[1, 1, 1] = 1
    assert value("lesion_recall", found, truth) == 0.5


def test_pixels_of_a_slice_that_touch_at_a_corner_are_one_lesion():
    truth = np.zeros((5, 5, 1), np.uint8)
    truth[1, 1] = truth[2, 2] = truth[4, 4] = 1
    found = np.zeros_like(truth)
    found[2, 2] = 1
    assert value("lesion_recall", found, truth) == 0.5


def test_one_prediction_over_two_lesions_finds_both_and_is_one():
    truth = np.zeros((9, 3, 3), np.uint8)
    truth[1, 1, 1] = truth[5, 1, 1] = 1
    bridge = np.zeros_like(truth)
    bridge[1:6, 1, 1] = bridge[8, 1, 1] = 1
    assert value("lesion_recall", bridge, truth) == 1
    assert value("lesion_f1", bridge, truth) == pytest.approx(2 * 0.5 / 1.5)


def test_empties_are_those_of_the_challenge():
    nothing, something = np.zeros((2, 3, 3, 3), np.uint8)
    something[1, 1, 1] = 1
    assert value("lesion_recall", nothing, nothing) == value("lesion_f1", nothing, nothing) == 1
    assert value("lesion_recall", something, nothing) == 1
    assert value("lesion_recall", nothing, something) == 0
    assert value("lesion_f1", something, nothing) == value("lesion_f1", nothing, something) == 0
