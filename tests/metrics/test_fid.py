"""The Fréchet distance, against its closed form."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from uda_study.metrics.fid import FrechetDistance

MEASURE = FrechetDistance().measure


def whitened(count, dimension, seed):
    """Points whose mean is 0 and whose unbiased covariance is the identity, exactly."""
    points = np.random.default_rng(seed).normal(size=(count, dimension))
    points -= points.mean(axis=0)
    return points @ np.linalg.inv(np.linalg.cholesky(np.cov(points, rowvar=False))).T


def test_gaussians_with_diagonal_covariances_have_the_closed_form():
    ours, theirs = np.array([1.0, 2.0, 0.5]), np.array([3.0, 1.0, 0.5])
    shift = np.array([1.0, -2.0, 0.0])
    x = whitened(40, 3, seed=1) * ours + shift
    y = whitened(25, 3, seed=2) * theirs
    assert MEASURE(x, y) == pytest.approx(5.0 + np.sum((ours - theirs) ** 2))


def test_correlated_gaussians_agree_with_the_matrix_root_of_scipy():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4)), rng.normal(size=(60, 4))
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    apart = np.sum((x.mean(axis=0) - y.mean(axis=0)) ** 2)
    expected = apart + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert MEASURE(x, y) == pytest.approx(expected)
    assert MEASURE(y, x) == pytest.approx(expected)


def test_equal_sets_have_none_even_where_a_feature_is_constant():
    x = np.random.default_rng(4).normal(size=(20, 3))
    x[:, 1] = 7.0
    assert MEASURE(x, x.copy()) == pytest.approx(0.0, abs=1e-9)
    assert MEASURE(x, x.copy()) >= 0


@pytest.mark.parametrize(("ours", "theirs"), [(4, 20), (20, 4)])
def test_fewer_planes_than_features_have_no_distance(ours, theirs):
    rng = np.random.default_rng(5)
    assert np.isnan(MEASURE(rng.normal(size=(ours, 5)), rng.normal(size=(theirs, 5))))


def test_as_many_planes_as_features_are_enough():
    rng = np.random.default_rng(6)
    assert np.isfinite(MEASURE(rng.normal(size=(5, 5)), rng.normal(size=(5, 5))))
