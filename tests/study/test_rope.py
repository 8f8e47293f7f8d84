import numpy as np
import pytest

from uda_study.study.across import Contender
from uda_study.study.rope import rope_over_pairs, rope_over_subjects


def values(differences):
    first = {f"s{i}": {0: 0.5 + d} for i, d in enumerate(differences)}
    return first, {name: {0: 0.5} for name in first}


def probabilities(found):
    return found.worse, found.equivalent, found.better


# The figures of baycomp 1.0.3, the authors' own package: SignedRankTest.probs(zeros, differences,
# rope=.01, random_state=0, nsamples=200000); no sum of two differences lies on the region's edge.
BAYCOMP = [
    (
        [.031, .022, -.005, .043, .013, .001, .016, .026, .0075, -.0145, .0112, .038],
        (0.0, 0.11511, 0.88489),
    ),
    ([.012, -.031, .0235, .0082, -.0183, .0291, .0026], (0.06295, 0.583705, 0.353345)),
]  # fmt: skip


@pytest.mark.parametrize(("differences", "expected"), BAYCOMP)
def test_probabilities_are_those_of_the_authors_package(differences, expected):
    found = rope_over_subjects(*values(differences))
    assert probabilities(found) == pytest.approx(expected, abs=0.006)


def test_probabilities_are_those_of_weights_drawn_one_by_one():
    differences = [0.04, 0.033, -0.026, 0.017, 0.002]
    random = np.random.default_rng(5)
    points = [0.0, *differences]
    wins = np.zeros(3)
    for _ in range(3000):
        # A Dirichlet draw is of gamma variables over their sum.
        weights = random.gamma([0.5, 1, 1, 1, 1, 1])
        weights /= weights.sum()
        shares = np.zeros(3)
        for i, a in enumerate(points):
            for j, b in enumerate(points):
                shares[1 + ((a + b) / 2 > 0.01) - ((a + b) / 2 < -0.01)] += weights[i] * weights[j]
        wins[shares.argmax()] += 1
    found = rope_over_subjects(*values(differences))
    assert probabilities(found) == pytest.approx(tuple(wins / 3000), abs=0.03)


def test_the_other_way_round_better_is_worse():
    first, second = values([0.03, 0.02, 0.04, -0.02, 0.03])
    ahead, behind = rope_over_subjects(first, second), rope_over_subjects(second, first)
    assert ahead.better == pytest.approx(behind.worse, abs=0.01)
    assert ahead.better > 0.7
    assert sum(probabilities(ahead)) == pytest.approx(1)


def test_the_same_figures_every_time():
    given = values([0.03, 0.0, 0.02, -0.02])
    assert rope_over_subjects(*given) == rope_over_subjects(*given)
    assert rope_over_subjects(*given) != rope_over_subjects(*given, seed=1)


def test_differences_within_the_region_are_equivalent_and_beyond_it_better():
    small, large = values([0.004, 0.006, 0.005] * 4), values([0.04, 0.06, 0.05] * 4)
    assert rope_over_subjects(*small).equivalent > 0.999
    assert rope_over_subjects(*large).better > 0.999


def test_a_difference_on_the_edge_is_equivalent():
    assert probabilities(rope_over_subjects(*values([0.01] * 30))) == (0, 1, 0)
    assert probabilities(rope_over_subjects(*values([-0.01] * 30))) == (0, 1, 0)
    assert rope_over_subjects(*values([0.0101] * 30)).better > 0.99


def test_seeds_are_averaged_before_subjects_are_compared():
    first = {f"s{i}": {1: 0.7, 2: 0.5} for i in range(9)}
    second = {f"s{i}": {1: 0.5, 2: 0.7} for i in range(9)}
    found = rope_over_subjects(first, second)
    assert (found.n, found.unit) == (9, "subjects")
    assert found.equivalent > 0.999


def test_without_a_shared_subject_the_prior_is_left():
    found = rope_over_subjects({"a": {0: 0.9}}, {"b": {0: 0.1}})
    assert probabilities(found) == (0, 1, 0)
    assert found.n == 0


def test_across_pairs_those_that_share_people_are_one():
    better = dict.fromkeys(("d a->b", "d b->a", "e a->b", "f a->b", "only a->b"), 0.9)
    first = Contender("x", "images", better, {})
    second = Contender("y", "images", {k: 0.5 for k in better if k != "only a->b"}, {})
    found = rope_over_pairs(first, second)
    assert (found.n, found.unit) == (3, "independent domain pairs")
    three = rope_over_subjects(*values([0.4] * 3))
    assert probabilities(found) == probabilities(three)
