"""What metrics share is computed once, of maps that fit."""

import numpy as np
import pytest
from measuring import SPACING

from uda_study import plugins
from uda_study.errors import InputError
from uda_study.metric import ALL, CaseMetric, Comparison, Metric
from uda_study.metrics import _surface

NAMES = [
    name
    for name in plugins.names("metrics")
    if issubclass(plugins.load("metrics", name, Metric), CaseMetric)
]


def three_structures() -> tuple[np.ndarray, np.ndarray]:
    truth = np.zeros((12, 10, 6), np.uint8)
    truth[2:7, 2:7, 1:5], truth[8:11, 1:8, 2:4] = 1, 2
    return np.roll(truth, 1, axis=0), truth


def test_volumes_are_counted_per_label():
    truth = np.array([[0, 1, 1, 2]], np.uint8)
    comparison = Comparison(np.array([[1, 1, 0, 255]], np.uint8), truth, (1.0, 1.0))
    assert comparison.predicted_volumes[:3] == [1, 2, 0]
    assert comparison.predicted_volumes[255] == 1
    assert comparison.true_volumes[:3] == [1, 2, 1]
    assert comparison.common_volumes[:3] == [0, 1, 0]


def test_what_is_shared_is_computed_once_for_each_structure():
    asked = []
    comparison = Comparison(*three_structures(), SPACING)

    def compute(given: Comparison, structure: int) -> int:
        assert given is comparison
        asked.append(structure)
        return 10 * structure

    assert [comparison.shared(compute, k) for k in (1, 2, 1)] == [10, 20, 10]
    assert asked == [1, 2]


def test_all_metrics_together_measure_each_distance_once(monkeypatch):
    measured = []
    original = _surface.distances

    def counting(*args):
        measured.append(args)
        return original(*args)

    monkeypatch.setattr(_surface, "distances", counting)
    comparison = Comparison(*three_structures(), SPACING)
    for name in NAMES:
        plugins.load("metrics", name, CaseMetric)().measure(comparison, (1, 2, 3))
    assert len(measured) == 4, "two structures, two directions"


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_has_a_value_per_structure_or_one_for_all(name):
    prediction, truth = three_structures()
    before = prediction.copy(), truth.copy()
    metric = plugins.load("metrics", name, CaseMetric)()
    values = metric.measure(Comparison(prediction, truth, SPACING), range(1, 4))
    assert set(values) in ({1, 2, 3}, {ALL})
    assert all(type(value) is float for value in values.values())
    assert np.array_equal(before, (prediction, truth)), "measuring changes no label"


@pytest.mark.parametrize("name", NAMES)
def test_a_perfect_prediction_is_the_best_there_is(name):
    _, truth = three_structures()
    metric = plugins.load("metrics", name, CaseMetric)()
    values = metric.measure(Comparison(truth, truth, SPACING), (1, 2))
    assert set(values.values()) == {1.0 if metric.higher_is_better else 0.0}


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_structures_does_not_matter(name):
    metric = plugins.load("metrics", name, CaseMetric)()
    comparison = Comparison(*three_structures(), SPACING)
    forth, back = (metric.measure(comparison, classes) for classes in ((1, 2), (2, 1)))
    assert forth == back


def test_different_shapes_are_refused():
    with pytest.raises(InputError, match=r"must have the truth's shape \(3,\)"):
        Comparison(np.zeros(2, np.uint8), np.zeros(3, np.uint8), (1.0,))


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.0, 0.0, 1.0), (1.0, np.nan, 1.0)])
def test_a_spacing_that_is_none_is_refused(spacing):
    labels = np.zeros((2, 2, 2), np.uint8)
    with pytest.raises(InputError, match="must be 3 positive lengths in mm"):
        Comparison(labels, labels, spacing)
