"""The kernel distance, against sums written out and for its bias."""

import numpy as np
import pytest

from uda_study.metrics import kid
from uda_study.metrics.kid import KernelDistance, discrepancy

MEASURE = KernelDistance().measure


def draw(count, seed, centre=0.0):
    return np.random.default_rng(seed).normal(centre, 1, size=(count, 3))


def test_it_is_the_unbiased_estimate_with_the_cubic_kernel():
    x, y = draw(4, 1), draw(5, 2)

    def kernel(a, b):
        return (np.dot(a, b) / 3 + 1) ** 3

    xx = np.mean([kernel(x[i], x[j]) for i in range(4) for j in range(4) if i != j])
    yy = np.mean([kernel(y[i], y[j]) for i in range(5) for j in range(5) if i != j])
    xy = np.mean([kernel(a, b) for a in x for b in y])
    assert MEASURE(x, y) == pytest.approx(xx + yy - 2 * xy)


def test_samples_of_one_distribution_have_zero_on_average_and_on_either_side():
    values = np.array([MEASURE(draw(10, 2 * n), draw(10, 2 * n + 1)) for n in range(600)])
    error = values.std() / np.sqrt(len(values))
    assert abs(values.mean()) < 3 * error
    # A biased estimate, which pairs each plane with itself, would be far above.
    assert error < 0.05
    assert 0.1 < (values < 0).mean() < 0.9


def test_domains_that_are_apart_are_seen():
    assert MEASURE(draw(30, 1), draw(30, 2, centre=1.0)) > 0.5


def test_of_large_sets_subsets_no_larger_than_the_smaller_set_are_averaged(monkeypatch):
    sizes = []

    def counted(x, y):
        sizes.append((len(x), len(y), len(np.unique(x, axis=0)), len(np.unique(y, axis=0))))
        return discrepancy(x, y)

    monkeypatch.setattr(kid, "discrepancy", counted)
    monkeypatch.setattr(kid, "_SUBSET", 50)
    x, y = draw(20, 1), draw(80, 2, centre=1.0)
    value = MEASURE(x, y)
    assert set(sizes) == {(20, 20, 20, 20)}
    assert len(sizes) == 100
    assert value == pytest.approx(discrepancy(x, y), rel=0.1)
    assert value == MEASURE(x, y)


def test_a_single_plane_has_no_pairs():
    assert np.isnan(MEASURE(draw(1, 1), draw(9, 2)))
    assert np.isnan(MEASURE(draw(9, 1), draw(1, 2)))
