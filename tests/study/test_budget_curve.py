import itertools
import math

import numpy as np
import pandas as pd
import pytest

from uda_study.study import budget_curve, rules

DICE = {"t0": 0.3, "t1": 0.8, "t2": 0.5, "t3": 0.6}


def trial(number: int, score: float, oracle: float, status: str = "complete", **other):
    return {
        "key": f"t{number}", "number": number, "status": status, "blind/entropy": score,
        "blind/score": score, "oracle/dice": oracle, "method": "dam", "cell": "a",
        "kind": "search", "selection": rules.RANK_AVERAGE, **other,
    }  # fmt: skip


TRIALS = [trial(0, 0.1, 0.2), trial(1, 0.2, 0.9), trial(2, 0.9, 0.5), trial(3, 0.5, 0.6)]


@pytest.mark.parametrize("unfinished", [0, 3])
@pytest.mark.parametrize("n", [1, 2, 4, 6])
def test_expected_choice_is_the_mean_over_all_subsets(unfinished, n):
    preferred_last = list(np.random.default_rng(n).random(6))
    everyone = [None] * unfinished + preferred_last
    subsets = itertools.combinations(range(len(everyone)), n)
    chosen = [everyone[max(subset)] for subset in subsets]
    brute = np.mean([value for value in chosen if value is not None])
    found = budget_curve.expected_choice(preferred_last, len(everyone), n)
    assert found == pytest.approx(brute, rel=1e-12)


def test_sorted_by_value_the_expected_choice_is_the_expected_best():
    values = [0.1, 0.4, 0.2, 0.9]
    pairs = [max(pair) for pair in itertools.combinations(values, 2)]
    assert budget_curve.expected_choice(sorted(values), 4, 2) == pytest.approx(np.mean(pairs))
    assert budget_curve.expected_choice(sorted(values), 4, 4) == 0.9


def test_a_validator_that_prefers_the_worst_makes_more_trials_harmful():
    backwards = [0.9, 0.5, 0.1]
    curve = [budget_curve.expected_choice(backwards, 3, n) for n in (1, 2, 3)]
    assert curve == sorted(curve, reverse=True)


@pytest.mark.parametrize(("values", "drawn", "n"), [([0.1], 1, 0), ([0.1], 1, 2), ([], 3, 1)])
def test_impossible_budgets_are_refused(values, drawn, n):
    with pytest.raises(ValueError, match="trials"):
        budget_curve.expected_choice(values, drawn, n)


@pytest.mark.parametrize(("drawn", "n"), [(1, 0), (2, 1), (7, 3)])
def test_curves_end_at_half_of_the_trials(drawn, n):
    assert budget_curve.largest_budget(drawn) == n


def test_the_favourite_of_a_rule_comes_last():
    lost = trial(4, 2.0, 2.0, "pruned")
    assert budget_curve.preference(rules.RANK_AVERAGE, [*TRIALS, lost]) == ["t0", "t1", "t3", "t2"]
    assert budget_curve.preference(rules.ORACLE, [*TRIALS, lost]) == ["t0", "t2", "t3", "t1"]


def test_the_running_choice_follows_the_order_of_the_trials():
    found = budget_curve.running_choice(rules.RANK_AVERAGE, TRIALS[::-1], DICE)
    assert found == [0.3, 0.8, 0.5, 0.5]
    assert budget_curve.running_choice(rules.ORACLE, TRIALS, DICE) == [0.3, 0.8, 0.8, 0.8]


def test_nothing_is_chosen_before_a_trial_has_ended_whole():
    trials = [{**TRIALS[0], "status": "failed"}, *TRIALS[1:]]
    first, *later = budget_curve.running_choice(rules.RANK_AVERAGE, trials, DICE)
    assert math.isnan(first)
    assert later == [0.8, 0.5, 0.5]


def test_tunability_compares_with_the_published_setting():
    diverged = trial(4, math.nan, math.nan, "diverged")
    (found,) = budget_curve.tunability(pd.DataFrame([*TRIALS, diverged]), DICE)
    assert (found.published, found.blind, found.best) == (0.3, 0.5, 0.8)
    assert found.statuses == {"complete": 4, "diverged": 1}


def test_without_a_finished_published_setting_there_is_no_tunability():
    (found,) = budget_curve.tunability(pd.DataFrame(TRIALS[1:]), DICE)
    assert found.published is None
