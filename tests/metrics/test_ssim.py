"""Structural similarity, against a loop over windows."""

import numpy as np
import pytest

from uda_study.metrics.sensitivity_mse import SensitivityError
from uda_study.metrics.sensitivity_ssim import SensitivitySimilarity
from uda_study.metrics.ssim import StructuralSimilarity, similarity

EVERYWHERE = np.ones((14, 13, 2), bool)


def volumes(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(3, 2, EVERYWHERE.shape).astype(np.float32)
    return x, (0.5 * x + rng.normal(0, 1, x.shape)).astype(np.float32)


def by_hand(x, y, data_range):
    """The definition of Wang et al., one window after the other."""
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    x, y = (np.pad(v.astype(float), 5, mode="symmetric") for v in (x, y))
    result = np.empty((x.shape[0] - 10, x.shape[1] - 10))
    for row, column in np.ndindex(result.shape):
        a, b = (v[row : row + 11, column : column + 11] for v in (x, y))
        mean_a, mean_b = (window * a).sum(), (window * b).sum()
        spread_a, spread_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
        common = (window * (a - mean_a) * (b - mean_b)).sum()
        result[row, column] = ((2 * mean_a * mean_b + c1) * (2 * common + c2)) / (
            (mean_a**2 + mean_b**2 + c1) * (spread_a + spread_b + c2)
        )
    return result


@pytest.mark.parametrize("data_range", [1.0, 12.0])
def test_the_map_of_each_plane_is_the_definition(data_range):
    x, y = volumes()
    planes = [by_hand(x[..., z], y[..., z], data_range) for z in range(2)]
    np.testing.assert_allclose(similarity(x, y, data_range), np.stack(planes, -1), atol=1e-9)


def test_only_what_is_inside_the_mask_counts():
    x, y = volumes()
    mask = EVERYWHERE.copy()
    mask[7:] = False
    expected = similarity(x, y, 10.0)[:7].mean()
    assert StructuralSimilarity().measure(x, y, mask, 10.0) == pytest.approx(expected)
    assert SensitivitySimilarity().measure(x, y, mask, 10.0) == pytest.approx(expected)


def test_an_image_is_like_itself_and_unlike_its_negative():
    x = np.random.default_rng(1).uniform(0, 10, EVERYWHERE.shape).astype(np.float32)
    measure = StructuralSimilarity().measure
    assert measure(x, x, EVERYWHERE, 10.0) == pytest.approx(1.0)
    assert measure(x, 10 - x, EVERYWHERE, 10.0) < -0.8


def test_the_squared_error_counts_intensities_between_minus_one_and_one():
    x, y = volumes()
    mask = EVERYWHERE.copy()
    mask[:, 5:] = False
    expected = np.mean(((x - y)[mask].astype(float) / 4.0) ** 2)
    assert SensitivityError().measure(x, y, mask, 8.0) == pytest.approx(expected)
