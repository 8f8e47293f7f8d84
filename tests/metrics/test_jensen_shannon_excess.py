"""The excess of a divergence over what images of one domain have among themselves."""

import numpy as np
import pytest

from uda_study.data.divergence import common_edges, excess, histograms
from uda_study.metrics.js_excess import JensenShannonExcess


def images(count, centre, seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(centre, 1, 500).astype(np.float32) for _ in range(count)]


def test_its_mean_is_the_excess_between_the_domains():
    source, target = images(4, 0.0, 1), images(3, 2.0, 2)
    edges = common_edges(source, target)
    whole = excess(histograms(source, edges), histograms(target, edges))
    values = JensenShannonExcess().measure(target, source, target)
    assert len(values) == 3
    assert np.mean(values) == pytest.approx(whole)
    assert whole > 0.1


def test_images_of_one_domain_have_none():
    everything = images(8, 0.0, 3)
    values = JensenShannonExcess().measure(everything[:4], everything[4:], everything[:4])
    assert abs(float(np.mean(values))) < 0.02


def test_a_single_image_has_no_others_to_differ_from():
    values = JensenShannonExcess().measure(images(1, 2.0, 4), images(3, 0.0, 5), images(1, 2.0, 4))
    assert np.isnan(values).all()
