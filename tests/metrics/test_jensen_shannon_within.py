"""The divergence of target images among themselves."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from uda_study.data.divergence import common_edges, histograms
from uda_study.metrics.js import JensenShannon
from uda_study.metrics.js_excess import JensenShannonExcess
from uda_study.metrics.js_within import JensenShannonWithin


def images(count, centre, seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(centre, 1, 500).astype(np.float32) for _ in range(count)]


def test_it_is_the_mean_squared_distance_of_scipy_from_the_other_images():
    source, target, adapted = images(3, 0.0, 1), images(4, 1.0, 2), images(2, 1.0, 3)
    rows = histograms(target, common_edges(source, adapted))
    expected = [
        np.mean([jensenshannon(p, q, base=2) ** 2 for q in np.delete(rows, n, axis=0)])
        for n, p in enumerate(rows)
    ]
    found = JensenShannonWithin().measure(target, source, adapted)
    assert found == pytest.approx(expected)
    assert min(found) > 0


def test_between_within_and_excess_fit_together():
    source, target = images(4, 0.0, 4), images(3, 2.0, 5)
    between, within, excess = (
        np.mean(metric().measure(target, source, target))
        for metric in (JensenShannon, JensenShannonWithin, JensenShannonExcess)
    )
    within_source = np.mean(JensenShannonWithin().measure(source, target, source))
    assert excess == pytest.approx(between - (within_source + within) / 2)


def test_a_single_image_has_no_others():
    found = JensenShannonWithin().measure(images(1, 2.0, 4), images(3, 0.0, 5), images(2, 2.0, 6))
    assert np.isnan(found).all()
