import math

import numpy as np
import pytest
from scipy import stats

from uda_study.study import statistics


def values(*numbers: float) -> dict[str, dict[int, float]]:
    return {f"s{index}": {0: number} for index, number in enumerate(numbers)}


def test_interval_of_a_mean_is_the_t_interval():
    sample = [0.61, 0.74, 0.70, 0.82]
    expected = stats.t.interval(0.95, 3, loc=np.mean(sample), scale=stats.sem(sample))
    assert statistics.mean_interval(sample) == pytest.approx(expected)


def test_nothing_is_said_of_the_spread_of_one_value():
    assert statistics.mean_interval([0.5]) == (None, None)
    assert statistics.spread([0.5]) is None
    assert statistics.compare(values(0.5), values(0.4)).smallest_detectable is None


@pytest.mark.parametrize(("n", "effect"), [(4, 2.1), (10, 1.0), (20, 0.66)])
def test_detectable_effect_has_80_percent_power(n: int, effect: float):
    shift = statistics.detectable_shift(n - 1)
    assert shift / math.sqrt(n) == pytest.approx(effect, abs=0.06)


def test_wilcoxon_reaches_its_smallest_p_when_all_differences_agree():
    assert statistics.signed_rank_p([0.1, 0.2, 0.3, 0.4]) == pytest.approx(0.125)
    assert statistics.signed_rank_p([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]) == pytest.approx(0.03125)
    assert statistics.signed_rank_p([0.0, 0.0]) == 1.0


def test_holm_never_lets_a_larger_p_become_smaller():
    adjusted = statistics.holm([0.01, 0.02, 0.021, None, 0.9])
    assert adjusted == pytest.approx([0.04, 0.06, 0.06, None, 0.9])


def test_some_of_many_comparisons_are_adjusted_for_all_of_them():
    assert statistics.holm([0.01, 0.002], of=10) == pytest.approx([0.09, 0.02])


def test_a_lucky_seed_is_no_merit():
    subjects = np.linspace(0.5, 0.8, 12)
    base = {f"s{i}": dict.fromkeys((1, 2, 3), value) for i, value in enumerate(subjects)}
    luck = {1: 0.1, 2: 0.0, 3: 0.05}
    lucky = {name: {seed: v + luck[seed] for seed, v in of.items()} for name, of in base.items()}
    steady = {name: {seed: v + 0.05 for seed, v in of.items()} for name, of in base.items()}
    by_luck, by_merit = statistics.compare(lucky, base), statistics.compare(steady, base)
    assert by_luck.difference == pytest.approx(by_merit.difference)
    assert by_luck.p > 0.1
    assert statistics.verdict(by_luck, by_luck.p) == "not distinguishable"
    assert statistics.verdict(by_merit, by_merit.p) == "better"


def test_a_large_difference_on_six_subjects_is_one_among_many_methods_too():
    noise = np.random.default_rng(0).normal(0, 0.01, (2, 6, 3))
    good, bad = (
        {f"s{i}": {k: float(mean + of[i, k]) for k in range(3)} for i in range(6)}
        for mean, of in zip((0.7, 0.1), noise, strict=True)
    )
    found = statistics.compare(good, bad)
    assert found.signed_rank == pytest.approx(0.03125)
    (adjusted,) = statistics.holm([found.p], of=66)
    assert statistics.verdict(found, adjusted) == "better"


def test_a_difference_that_one_subject_makes_is_not_called_one():
    # The t test finds it; of the six ranks, two say the contrary.
    found = statistics.Comparison(6, 0.2, (0.01, 0.39), 0.04, 0.2, signed_rank=0.16)
    assert statistics.verdict(found, 0.04) == "not distinguishable"


def test_methods_are_paired_by_subject():
    first = {"a": {0: 0.9}, "b": {0: 0.5}, "only": {0: 0.1}}
    comparison = statistics.compare(first, {"b": {0: 0.4}, "a": {0: 0.7}})
    assert comparison.n == 2
    assert comparison.difference == pytest.approx(0.15)


def test_no_shared_subject_gives_no_figures():
    assert statistics.compare({"a": {0: 0.9}}, {"b": {0: 0.4}}).difference is None


def test_few_subjects_are_only_described():
    comparison = statistics.compare(values(0.9, 0.9, 0.9, 0.91, 0.9), values(*[0.1] * 5))
    assert statistics.verdict(comparison, comparison.p) == "descriptive only"


def test_words_follow_the_interval_and_the_adjusted_p():
    base = values(*np.linspace(0.5, 0.8, 10))
    clearly = values(*(np.linspace(0.5, 0.8, 10) + np.linspace(0.1, 0.2, 10)))
    hardly = values(*(np.linspace(0.5, 0.8, 10) + 0.002 * (-1.0) ** np.arange(10)))
    widely = values(*(np.linspace(0.5, 0.8, 10) + 0.2 * (-1.0) ** np.arange(10)))
    said = [
        statistics.verdict(c, c.p)
        for c in (
            statistics.compare(clearly, base),
            statistics.compare(base, clearly),
            statistics.compare(hardly, base),
            statistics.compare(widely, base),
        )
    ]
    assert said == ["better", "worse", "practically equivalent", "not distinguishable"]


def test_rank_intervals_are_tight_when_every_subject_agrees():
    table = np.array([[0.9, 0.8, 0.95], [0.5, 0.4, 0.6], [0.2, 0.1, 0.3]])
    assert statistics.rank_intervals(table) == [(1, 1), (2, 2), (3, 3)]


def test_rank_intervals_overlap_when_subjects_disagree():
    table = np.array([[0.9, 0.1, 0.9, 0.1], [0.1, 0.9, 0.1, 0.9]])
    assert statistics.rank_intervals(table) == [(1, 2), (1, 2)]


def test_detectable_difference_grows_with_the_spread():
    nothing = values(0, 0, 0, 0)
    narrow = statistics.compare(values(0.1, 0.11, 0.12, 0.1), nothing).smallest_detectable
    wide = statistics.compare(values(0.1, 0.4, -0.2, 0.1), nothing).smallest_detectable
    assert narrow is not None
    assert wide is not None
    assert math.isfinite(narrow)
    assert narrow < wide
