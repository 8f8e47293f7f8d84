"""Which search trials of a cell keep their models."""

import pytest

from uda_study.study.retention import beyond, ranked
from uda_study.study.trial import TrialResult, TrialSpec


def spec(number, kind="search", cell="one"):
    return TrialSpec("s", kind, cell, number, "dam", "mr->ct", 0, 0, {"lr": number})


def study(*ends, kind="search", cell="one"):
    specs = [spec(number, kind, cell) for number in range(len(ends))]
    results = {
        one.key: TrialResult(
            one.key,
            "complete" if isinstance(end, float) else end,
            8,
            {"blind/entropy": end, "blind/score": end, "oracle/dice": -end}
            if isinstance(end, float)
            else {},
        )
        for one, end in zip(specs, ends, strict=True)
    }
    return {one.key: one for one in specs}, results


def numbers(specs, keys):
    return [specs[key].number for key in keys]


def test_the_best_by_the_study_s_own_rule_come_first():
    specs, results = study(0.1, 0.4, 0.3)
    assert numbers(specs, ranked(specs, results, "one", "blind/score")) == [1, 2, 0]
    assert numbers(specs, ranked(specs, results, "one", "oracle/dice")) == [0, 2, 1]


def test_of_equal_trials_the_earlier_one_is_kept():
    specs, results = study(0.4, 0.4, 0.4)
    assert numbers(specs, beyond(specs, results, "one", "blind/score", 1)) == [1, 2]


@pytest.mark.parametrize("end", ["pruned", "diverged"])
def test_what_did_not_train_to_its_end_is_beyond_however_few_there_are(end):
    specs, results = study(0.1, end)
    assert numbers(specs, beyond(specs, results, "one", "blind/score", 3)) == [1]


def test_confirmations_and_other_cells_take_nobody_s_place():
    specs, results = study(0.1, 0.2)
    for others in (study(0.9, kind="confirm"), study(0.9, cell="two")):
        specs, results = specs | others[0], results | others[1]
    assert numbers(specs, beyond(specs, results, "one", "blind/score", 1)) == [0]
    assert beyond(specs, results, "two", "blind/score", 1) == []
    assert len(beyond(specs, results, "one", "blind/score", 0)) == 2
