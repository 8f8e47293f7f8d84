"""The correlation of edges: anatomy counts, contrast does not."""

import math

import numpy as np
import pytest

from uda_study.metrics.gradient_correlation import GradientCorrelation

EVERYWHERE = np.ones((24, 20, 3), bool)


def disc(row, column, radius=6.0):
    """Return a blurred disc in every plane."""
    x, y = np.ogrid[:24, :20]
    distance = np.hypot(x - row, y - column)
    plane = 1 / (1 + np.exp(distance - radius))
    return np.repeat(plane[..., None], 3, axis=2).astype(np.float32)


def measure(image, reference, mask=EVERYWHERE):
    return GradientCorrelation().measure(image, reference, mask, 1.0)


def test_a_negative_and_another_scale_have_the_same_edges():
    image = disc(11, 9)
    assert measure(image, image) == pytest.approx(1)
    assert measure(3 - 2 * image, image) == pytest.approx(1)


def test_edges_that_move_lower_it():
    image = disc(11, 9)
    values = [measure(disc(11 + shift, 9), image) for shift in (0, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.5


def test_it_is_the_correlation_of_magnitudes_of_central_differences():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 6, 5, 2)).astype(np.float32)
    inner = np.zeros((6, 5, 2), bool)
    inner[1:-1, 1:-1] = True
    magnitudes = [
        np.hypot((v[2:, 1:-1] - v[:-2, 1:-1]) / 2, (v[1:-1, 2:] - v[1:-1, :-2]) / 2).ravel()
        for v in (first.astype(float), second.astype(float))
    ]
    expected = np.corrcoef(*magnitudes)[0, 1]
    assert measure(first, second, inner) == pytest.approx(expected)


def test_planes_are_apart():
    """What changes from plane to plane is no edge."""
    image = disc(11, 9)
    brighter = image + np.arange(3, dtype=np.float32) * 5
    assert measure(brighter, image) == pytest.approx(1)


def test_only_the_mask_counts():
    image = disc(11, 9)
    spoilt = image.copy()
    spoilt[:3] = np.random.default_rng(0).normal(size=(3, 20, 3))
    mask = EVERYWHERE.copy()
    mask[:4] = False
    assert measure(spoilt, image, mask) == pytest.approx(1)
    assert measure(spoilt, image) < 0.9


def test_a_flat_image_has_no_value():
    assert math.isnan(measure(np.ones_like(disc(1, 1)), disc(11, 9)))
