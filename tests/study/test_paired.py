import numpy as np
import pytest
from scipy import stats

from uda_study.study.paired import crossed_difference, paired


def test_pairs_are_of_shared_subjects_and_of_seeds_that_both_have():
    first = {"a": {1: 0.9, 2: 0.7}, "b": {1: 0.5, 2: 0.6}, "only": {1: 0.1}}
    second = {"b": {1: 0.4, 2: 0.4, 3: 0.9}, "a": {1: 0.6, 2: 0.6, 3: 0.0}}
    subjects, differences = paired(first, second)
    assert subjects == ["a", "b"]
    assert differences == pytest.approx(np.array([[0.3, 0.1], [0.1, 0.2]]))


def test_without_a_common_seed_means_are_compared():
    subjects, differences = paired({"a": {1: 0.8, 2: 0.6}}, {"a": {7: 0.5}})
    assert subjects == ["a"]
    assert differences == pytest.approx(np.array([[0.2]]))


def test_with_one_seed_it_is_the_paired_t_test():
    column = np.random.default_rng(0).normal(0.02, 0.05, (9, 1))
    found = crossed_difference(column)
    expected = stats.ttest_1samp(column[:, 0], 0)
    assert found.p == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval(0.95)
    assert (found.mean - found.margin, found.mean + found.margin) == pytest.approx((low, high))


def test_without_a_seed_effect_it_is_about_the_t_test_over_subjects():
    random = np.random.default_rng(1)
    table = random.normal(0, 0.05, (40, 1)) + random.normal(0, 1e-4, (40, 5))
    found = crossed_difference(table)
    expected = stats.sem(table.mean(axis=1))
    assert found.error == pytest.approx(expected, rel=0.01)
    assert found.freedom == pytest.approx(39, rel=0.05)


def test_the_variance_is_that_of_crossed_random_effects():
    d = np.random.default_rng(3).normal(0, 0.05, (7, 4))
    d += np.random.default_rng(4).normal(0, 0.05, (7, 1))
    d += np.random.default_rng(5).normal(0, 0.05, (1, 4))
    n, k = d.shape
    mean = d.mean()
    of_subjects = sum(k * (d[i].mean() - mean) ** 2 for i in range(n)) / (n - 1)
    of_seeds = sum(n * (d[:, j].mean() - mean) ** 2 for j in range(k)) / (k - 1)
    rest = [
        (d[i, j] - d[i].mean() - d[:, j].mean() + mean) ** 2 for i in range(n) for j in range(k)
    ]
    of_rest = sum(rest) / ((n - 1) * (k - 1))
    variance = of_subjects + of_seeds - of_rest
    found = crossed_difference(d)
    assert found.error == pytest.approx(np.sqrt(variance / (n * k)))
    parts = ((of_subjects, n - 1), (of_seeds, k - 1), (of_rest, (n - 1) * (k - 1)))
    assert found.freedom == pytest.approx(variance**2 / sum(ms**2 / df for ms, df in parts))


def test_the_variance_is_never_less_than_with_one_effect_alone():
    apart = np.array([[0.1, -0.1, 0.0], [-0.1, 0.1, 0.0]] * 4) + np.array([[0.3, 0.0, 0.1]])
    of_seeds = crossed_difference(apart)
    assert of_seeds.freedom == 2
    assert of_seeds.error == pytest.approx(stats.sem(apart.mean(axis=0)))
    of_subjects = crossed_difference(apart.T)
    assert of_subjects.freedom == 2
    assert of_subjects.error == pytest.approx(stats.sem(apart.mean(axis=0)))


def test_luck_of_seeds_alone_leaves_the_freedom_of_the_seeds():
    table = np.tile(np.array([[0.1, 0.0, 0.2]]), (30, 1))
    found = crossed_difference(table)
    assert found.freedom == pytest.approx(2)
    assert found.error == pytest.approx(stats.sem(table[0]))


def test_the_interval_holds_the_truth_as_often_as_it_says():
    random = np.random.default_rng(2)
    hits = 0
    for _ in range(600):
        table = random.normal(0, 0.05, (12, 1)) + random.normal(0, 0.03, (1, 4))
        found = crossed_difference(table + random.normal(0, 0.02, (12, 4)))
        hits += abs(found.mean) <= found.margin
    assert 0.93 <= hits / 600 <= 0.985


def test_no_difference_at_all_is_no_evidence():
    assert crossed_difference(np.zeros((8, 3))).p == 1.0
    assert crossed_difference(np.full((8, 3), 0.1)).p == 0.0
    assert crossed_difference(np.zeros((1, 3))) is None
