import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon

from uda_study import plugins
from uda_study.data.divergence import BINS, common_edges, excess, histograms, pairwise
from uda_study.errors import InputError
from uda_study.metric import ImageMetric
from uda_study.metrics.js import JensenShannon

Images = list[NDArray[np.float32]]
counts = arrays.arrays(np.int64, (4, 9), elements=st.integers(0, 20)).map(
    lambda n: n + np.eye(4, 9)
)


def domain(mean: float, seed: int, n: int = 4) -> Images:
    random = np.random.default_rng(seed)
    return [random.normal(mean, 1, 4000).astype(np.float32) for _ in range(n)]


def test_pairs_agree_with_scipys_squared_distance() -> None:
    random = np.random.default_rng(0)
    p, q = random.dirichlet(np.full(16, 0.2), 5), random.dirichlet(np.full(16, 0.2), 3)
    p[0, :8] = 0
    p[0] /= p[0].sum()
    expected = [[jensenshannon(a, b, base=2) ** 2 for b in q] for a in p]
    np.testing.assert_allclose(pairwise(p, q), expected, atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(counts, counts)
def test_divergence_is_symmetric_bounded_and_zero_from_itself(
    a: NDArray[np.float64], b: NDArray[np.float64]
) -> None:
    p, q = a / a.sum(1, keepdims=True), b / b.sum(1, keepdims=True)
    assert np.array_equal(pairwise(p, q), pairwise(q, p).T)
    assert pairwise(p, q).min() >= 0
    assert pairwise(p, q).max() <= 1
    assert np.array_equal(np.diag(pairwise(p, p)), np.zeros(4))


def test_histograms_clip_to_the_edges_and_sum_to_one() -> None:
    edges = np.array([0.0, 1.0, 2.0, 3.0])
    image = np.array([-5, 0, 0.5, 1, 3, 99, 99, 99], np.float32)
    np.testing.assert_allclose(histograms([image], edges), [[3 / 8, 1 / 8, 4 / 8]])


def test_edges_span_the_inner_percentiles_of_source_and_reference_alike() -> None:
    source, reference = domain(0, seed=1), domain(50, seed=2)
    edges = common_edges(source, reference)
    low, high = np.percentile(np.concatenate(source + reference), (0.1, 99.9))
    assert len(edges) == BINS + 1
    np.testing.assert_allclose(edges[[0, -1]], [low, high], rtol=1e-6)
    np.testing.assert_allclose(np.diff(edges), (high - low) / BINS, rtol=1e-6)


def test_measuring_leaves_the_images_as_they_were() -> None:
    source, target = domain(0, seed=1), domain(1, seed=2)
    copies = [image.copy() for image in source + target]
    JensenShannon().measure(target, source, target)
    assert all(np.array_equal(a, b) for a, b in zip(source + target, copies, strict=True))


def test_images_of_the_sources_appearance_are_closer() -> None:
    source, reference = domain(0, seed=1), domain(6, seed=2)
    metric = JensenShannon()
    before = metric.measure(reference, source, reference)
    after = metric.measure(domain(0, seed=3), source, reference)
    assert len(before) == 4
    assert max(after) < 0.05
    assert min(before) > 0.9


def test_adaptation_does_not_change_the_ruler() -> None:
    source, reference = domain(0, seed=1), domain(2, seed=2)
    translated = domain(1, seed=3)
    together = JensenShannon().measure([*reference, *translated], source, reference)
    assert together[:4] == JensenShannon().measure(reference, source, reference)
    assert together[4:] == JensenShannon().measure(translated, source, reference)


def test_excess_vanishes_between_samples_of_one_domain_but_the_mean_does_not() -> None:
    source, same, other = domain(0, seed=1), domain(0, seed=2), domain(3, seed=3)
    edges = common_edges(source, other)
    s, t, far = (histograms(images, edges) for images in (source, same, other))
    assert pairwise(s, t).mean() > 1e-3
    assert abs(excess(s, t)) < 5e-4
    assert excess(s, far) > 0.5


def test_excess_pairs_no_image_with_itself() -> None:
    p = np.array([[1.0, 0.0], [0.0, 1.0]])
    # Between: pairs are 0, 1, 1, 0; within: both ordered pairs are 1.
    assert excess(p, p) == 0.5 - 1.0


def test_excess_is_undefined_for_a_single_image() -> None:
    p = np.array([[1.0, 0.0]])
    assert np.isnan(excess(p, p))


def test_constant_images_have_no_divergence() -> None:
    flat = [np.full(10, 7, np.float32)]
    assert JensenShannon().measure(flat, flat, flat) == [0.0]


def test_all_unusable_images_are_named_together() -> None:
    good, empty = np.ones(3, np.float32), np.empty(0, np.float32)
    damaged = np.array([1, np.nan], np.float32)
    with pytest.raises(InputError) as caught:
        JensenShannon().measure([good, damaged], [empty], [])
    assert str(caught.value).splitlines() == [
        "js.images[1]: has NaN or infinite voxels",
        "js.source[0]: has no voxels inside its mask",
        "js.reference: needs at least one image",
    ]


def test_js_is_found_by_its_file_name() -> None:
    assert plugins.load("metrics", "js", ImageMetric) is JensenShannon
