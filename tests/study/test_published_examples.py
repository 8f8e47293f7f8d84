"""Worked examples of the papers and packages whose tests are used, with their published figures."""

import math
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from uda_study.study import ranking, statistics
from uda_study.study.ranking import stability

NAMES = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")
# Demšar, JMLR 7 (2006), Table 6: areas under the curve on 14 data sets. In the last but one, .975
# is printed twice and ranked 2 and 3: the first of them has a digit more here.
AREAS = np.array([
    [0.763, 0.768, 0.771, 0.798],
    [0.599, 0.591, 0.590, 0.569],
    [0.954, 0.971, 0.968, 0.967],
    [0.628, 0.661, 0.654, 0.657],
    [0.882, 0.888, 0.886, 0.898],
    [0.936, 0.931, 0.916, 0.931],
    [0.661, 0.668, 0.609, 0.685],
    [0.583, 0.583, 0.563, 0.625],
    [0.775, 0.838, 0.866, 0.875],
    [1.000, 1.000, 1.000, 1.000],
    [0.940, 0.962, 0.965, 0.962],
    [0.619, 0.666, 0.614, 0.669],
    [0.972, 0.981, 0.9751, 0.975],
    [0.957, 0.978, 0.946, 0.970],
]).T  # fmt: skip


def test_wilcoxon_example_of_demsar():
    differences = (AREAS[1] - AREAS[0]).round(3)
    # He splits the ranks of the two zeros: T = min(93, 12), significant where T <= 21.
    assert stats.wilcoxon(differences, zero_method="zsplit").statistic == 12
    # Zeros are left out here, as Wilcoxon did; the decision at .05 is the same.
    assert statistics.signed_rank_p(differences.tolist()) < 0.05


def test_friedman_example_of_demsar():
    found = ranking.friedman(AREAS)
    assert found.mean_ranks == pytest.approx((3.143, 2.000, 2.893, 1.964), abs=5e-4)
    k, n = AREAS.shape
    ties = [stats.rankdata(block) for block in AREAS.T]
    counts = [count for block in ties for count in np.unique(block, return_counts=True)[1]]
    correction = 1 - sum(t**3 - t for t in counts) / (n * (k**3 - k))
    # Demšar does not correct for ties; the correction is scipy's.
    chi2 = found.chi2 * correction
    assert chi2 == pytest.approx(9.28, abs=0.005)
    assert (n - 1) * chi2 / (n * (k - 1) - chi2) == pytest.approx(3.69, abs=0.005)
    assert found.f == pytest.approx((n - 1) * found.chi2 / (n * (k - 1) - found.chi2))
    assert found.p == pytest.approx(stats.f.sf(found.f, 3, 39))
    assert found.p < 0.05


def test_nemenyi_example_of_demsar():
    assert ranking.critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    ranks = (3.143, 2.000, 2.893, 1.964)
    p_values = ranking.nemenyi(ranks, 14)
    # "Even the difference between the best and the worst" is below the critical difference at .05;
    # at .10 (1.12) C4.5 is worse than C4.5+m and C4.5+m+cf, and nothing else differs.
    assert p_values.min() > 0.05
    below = {(NAMES[a], NAMES[b]) for a, b in zip(*np.where(p_values < 0.10), strict=True) if a < b}
    assert below == {("C4.5", "C4.5+m"), ("C4.5", "C4.5+m+cf")}


@pytest.mark.parametrize(("methods", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (10, 3.164)])
def test_critical_values_are_those_of_demsars_table_5(methods: int, q: float):
    error = math.sqrt(methods * (methods + 1) / (6 * 14))
    assert ranking.critical_difference(methods, 14) / error == pytest.approx(q, abs=1e-3)


def test_holm_example_of_demsar():
    ranks = ranking.friedman(AREAS).mean_ranks
    z = [(ranks[0] - rank) / ranking.nemenyi_error(4, 14) for rank in ranks[1:]]
    p_values = [2 * float(stats.norm.sf(value)) for value in z]
    # His are of ranks and errors rounded to three digits.
    assert p_values == pytest.approx([0.019, 0.607, 0.016], abs=2e-3)
    # .016 < .05 / 3 and .019 < .05 / 2 are rejected, .607 is not.
    assert [p < 0.05 for p in statistics.holm(p_values) if p is not None] == [True, False, True]


def test_ideal_example_of_challenger():
    # Its vignettes: 50 cases, values of A1..A5 in ranges that do not overlap.
    random = np.random.default_rng(4)
    table = np.array([random.uniform(low, low + 0.09, 50) for low in (0.9, 0.8, 0.7, 0.6, 0.5)])
    found = stability(of(table))
    assert found.mean_ranks == (1, 2, 3, 4, 5)
    assert found.mean_places_ci == found.rank_places_ci == tuple((i, i) for i in range(1, 6))
    assert found.kendall_tau == 1
    assert max(found.significance["task"].values()) < 0.05


def test_worst_case_example_of_challenger():
    # Its vignettes: five values in all 120 orders, so that no method is better than another.
    table = np.array(list(permutations(np.linspace(0.8, 1, 5)))).T
    found = stability(of(table))
    assert found.mean_places == found.rank_places == (1, 1, 1, 1, 1)
    assert found.mean_ranks == (3, 3, 3, 3, 3)
    assert found.kendall_tau is None
    assert found.rank_places_ci is not None
    assert all(low == 1 and high >= 4 for low, high in found.rank_places_ci)
    assert min(found.significance["task"].values()) == 1


def of(table):
    return {
        f"A{i}": {"task": {f"c{j}": {0: float(value)} for j, value in enumerate(row)}}
        for i, row in enumerate(table, 1)
    }
