import math
import random

import pytest

from uda_study.study import rules
from uda_study.study.selection import ranking, ranking_by


def choose(trials):
    return rules.choose(rules.RANK_AVERAGE, trials)


def trial(number: int, entropy: float, fg: float, consistency: float, **others: object):
    return {
        "key": f"t{number}",
        "number": number,
        "status": "complete",
        "blind/entropy": entropy,
        "blind/entropy_fg": fg,
        "blind/consistency": consistency,
        **others,
    }


def test_the_best_average_rank_is_chosen():
    trials = [trial(0, -0.5, -0.5, 0.9), trial(1, -0.1, -0.2, 0.8), trial(2, -0.2, -0.1, 0.7)]
    # Ranks: t0 3+3+1, t1 1+2+2, t2 2+1+3.
    assert ranking(trials) == ["t1", "t2", "t0"]
    assert choose(trials) == "t1"


@pytest.mark.parametrize("status", ["pruned", "diverged", "failed", "running"])
def test_a_trial_that_did_not_complete_is_never_chosen(status: str):
    winner = trial(0, 0.0, 0.0, 1.0) | {"status": status}
    assert choose([winner, trial(1, -0.9, -0.9, 0.1)]) == "t1"
    assert choose([winner]) is None


def test_ties_go_to_the_blind_score_and_then_to_the_earlier_trial():
    equal = [trial(n, -0.1, -0.1, 0.5) for n in range(3)]
    assert choose(equal) == "t0"
    equal[2]["blind/score"] = 0.7
    assert choose(equal) == "t2"


def test_a_critic_counts_only_if_every_trial_has_one():
    trials = [trial(0, -0.1, -0.3, 0.5), trial(1, -0.3, -0.1, 0.5)]
    trials[1]["blind/critic_w"] = 1.0
    trials[0]["blind/critic_w"] = math.nan
    assert choose(trials) == "t0"
    trials[0]["blind/critic_w"] = 0.0
    assert choose(trials) == "t1"


def test_the_order_of_the_trials_does_not_matter():
    generator = random.Random(0)
    trials = [trial(n, generator.choice([-0.1, -0.2]), generator.random(), 0.5) for n in range(12)]
    expected = ranking(trials)
    generator.shuffle(trials)
    assert ranking(trials) == expected


def test_the_oracle_chooses_by_validation_labels():
    trials = [
        trial(0, -0.1, -0.1, 0.9, **{"oracle/dice": 0.4}),
        trial(1, -0.9, -0.9, 0.1, **{"oracle/dice": 0.8}),
        trial(2, -0.9, -0.9, 0.1),
    ]
    assert choose(trials) == "t0"
    assert rules.choose(rules.ORACLE, trials) == "t1"
    assert ranking_by(trials, "oracle/dice") == ["t1", "t0"]
