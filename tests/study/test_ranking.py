import math

import numpy as np
import pytest
from scipy import stats

from uda_study.study import ranking, statistics
from uda_study.study.ranking import Friedman, friedman, nemenyi, significance, stability


def of(**pairs):
    """Values by label, pair, subject and seed from tables ``(methods, subjects)``."""
    methods = len(next(iter(pairs.values())))
    return {
        f"m{method}": {
            pair: {f"{pair}{j}": {0: float(v)} for j, v in enumerate(table[method])}
            for pair, table in pairs.items()
        }
        for method in range(methods)
    }


# The second method is better on most subjects, the first on average.
DISAGREEING = [[0.80, 0.80, 0.80, 0.80, 0.80], [0.82, 0.82, 0.82, 0.82, 0.10], [0.5] * 5]


def test_the_two_orders_may_disagree():
    found = stability(of(p=DISAGREEING))
    assert found.labels == ("m0", "m1", "m2")
    assert found.means == pytest.approx((0.80, 0.676, 0.5))
    assert found.mean_ranks == pytest.approx((1.8, 1.4, 2.8))
    assert found.mean_places == (1, 2, 3)
    assert found.rank_places == (2, 1, 3)
    assert found.kendall_tau == pytest.approx(1 / 3)
    assert found.subjects == {"p": 5}


def test_within_one_pair_intervals_of_means_are_the_leaderboards():
    table = np.random.default_rng(0).normal(0.7, 0.1, (5, 9))
    assert stability(of(p=table)).mean_places_ci == tuple(statistics.rank_intervals(table))


def test_intervals_are_those_of_subjects_drawn_by_hand():
    found = stability(of(p=DISAGREEING))
    # By mean, m0 loses to m1 where the bad subject is not drawn: (4/5)^5 = .33 of the draws. By
    # mean rank m1 loses where it is drawn three times or more: .06, over 2.5 %.
    assert found.mean_places_ci == ((1, 2), (1, 3), (2, 3))
    assert found.rank_places_ci == ((1, 2), (1, 2), (3, 3))


def test_every_pair_weighs_the_same():
    found = stability(of(a=[[0.9] * 8, [0.1] * 8], b=[[0.2] * 2, [0.8] * 2]))
    assert found.means == pytest.approx((0.55, 0.45))
    assert found.mean_ranks == (1.5, 1.5)
    assert found.rank_places == (1, 1)
    assert found.kendall_tau is None


def test_subjects_are_drawn_within_their_pair():
    # Drawn over all, the pair with the good values would be drawn more or less often.
    found = stability(of(a=[[0.9] * 3, [0.7] * 3], b=[[0.3] * 3, [0.45] * 3]))
    assert found.mean_places_ci == ((1, 1), (2, 2))


def test_pairs_with_the_same_people_draw_the_same_ones():
    people = ["x", "y", "z"]
    pairs = {"d a->c": people, "d c->a": ["u", "v", "w"], "d b->c": people, "e a->c": people}
    of_target, other_target, same_target, other_dataset = ranking.draws(pairs)
    assert (of_target == same_target).all()
    assert (of_target != other_target).any()
    assert (of_target != other_dataset).any()


def test_only_shared_subjects_count_and_seeds_are_averaged():
    values = {
        "a": {"p": {"s": {1: 0.9, 2: 0.7}, "t": {1: 0.5}, "only": {1: 0.0}}},
        "b": {"p": {"s": {1: 0.6}, "t": {1: 0.6}}},
    }
    found = stability(values)
    assert found.subjects == {"p": 2}
    assert found.means == pytest.approx((0.65, 0.6))
    assert found.mean_ranks == (1.5, 1.5)


def test_one_subject_gives_no_intervals():
    found = stability(of(p=[[0.9], [0.8]]))
    assert found.rank_places == (1, 2)
    assert found.mean_places_ci is None
    assert found.rank_places_ci is None


def test_nothing_shared_gives_no_order():
    values = {"a": {"p": {"s": {0: 0.9}}}, "b": {"p": {"t": {0: 0.8}}}}
    with pytest.raises(ValueError, match="share no subject"):
        stability(values)


def test_equal_values_share_ranks_in_spite_of_the_last_digit():
    table = np.array([[0.1 + 0.2, 0.5], [0.3, 0.5], [0.2, 0.6]])
    assert ranking.ranks(table).tolist() == [[1.5, 2.5], [1.5, 2.5], [3, 1]]
    assert ranking.places(np.array([0.1 + 0.2, 0.3, 0.4])) == (2, 2, 1)


def test_significance_agrees_with_the_leaderboards_words():
    random = np.random.default_rng(1)
    values = {
        name: {f"s{i}": {s: 0.7 + shift + random.normal(0, 0.02) for s in (1, 2)} for i in range(9)}
        for name, shift in (("a", 0.06), ("b", 0.0), ("c", 0.01))
    }
    compared = [statistics.compare(values[x], values[y]) for x, y in ("ab", "ac", "bc")]
    adjusted = statistics.holm([c.p for c in compared])
    found = significance(values)
    assert list(found) == [("a", "b"), ("a", "c"), ("b", "c")]
    for p, comparison, holm in zip(found.values(), compared, adjusted, strict=True):
        assert p == pytest.approx(max(holm, comparison.signed_rank))
        said = statistics.verdict(comparison, holm)
        assert (p < 0.05) == (said in ("better", "worse"))
    assert found["a", "b"] < 0.05 < found["b", "c"]


def test_significance_needs_ranks_that_differ_as_well():
    # Five of six subjects agree: W = 1, whose p is .0625, however far apart the means are.
    base = {f"s{i}": dict.fromkeys(range(4), 0.0) for i in range(6)}
    carried = {f"s{i}": dict.fromkeys(range(4), d) for i, d in enumerate((3, 3, 3, 3, 3, -0.1))}
    comparison = statistics.compare(carried, base)
    assert comparison.p < 0.05 < comparison.signed_rank
    assert significance({"a": carried, "b": base})["a", "b"] == comparison.signed_rank


def test_labels_without_a_common_subject_are_not_compared():
    assert significance({"a": {"s": {0: 0.9}}, "b": {"t": {0: 0.8}}}) == {}


def test_friedman_by_hand_without_ties():
    # Ranks by block: 123, 123, 132, 213; sums 5, 8, 11.
    table = np.array([[9, 9, 9, 8], [8, 8, 7, 9], [7, 7, 8, 7]], dtype=float)
    found = friedman(table)
    chi2 = 12 / (4 * 3 * 4) * (5**2 + 8**2 + 11**2) - 3 * 4 * 4
    assert found.mean_ranks == (1.25, 2.0, 2.75)
    assert found.chi2 == pytest.approx(chi2)
    assert found.f == pytest.approx(3 * chi2 / (8 - chi2))
    assert found.p == pytest.approx(stats.f.sf(found.f, 2, 6))


def test_blocks_that_agree_altogether_have_the_chance_of_that():
    found = friedman(np.tile(np.array([[3.0], [2.0], [1.0]]), 6))
    assert found.f == math.inf
    assert found.p == pytest.approx((1 / 6) ** 5)


def test_methods_that_never_differ_have_no_friedman_difference():
    assert friedman(np.full((3, 6), 0.5)) == Friedman(0.0, 0.0, 1.0, (2.0, 2.0, 2.0))


def test_nemenyi_of_two_is_the_normal_test_of_the_ranks():
    p = nemenyi((1.2, 1.8), 10)
    assert p[0, 1] == p[1, 0]
    assert p[0, 1] == pytest.approx(2 * stats.norm.sf(0.6 / math.sqrt(2 * 3 / 60)), rel=1e-4)
    assert p[0, 0] == pytest.approx(1)


def test_nemenyi_agrees_with_its_critical_difference():
    apart = ranking.critical_difference(5, 8)
    just = nemenyi((1.0, 1.0 + apart, 3, 3, 3), 8)[0, 1]
    assert just == pytest.approx(0.05, abs=1e-4)
