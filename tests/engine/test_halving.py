from uda_study.engine.halving import Halving
from uda_study.study.model import SchedulerSpec

ASHA = SchedulerSpec(grace_period=2, reduction_factor=2)


def decisions(halving: Halving, reports) -> list[bool]:
    return [halving.stops(*report) for report in reports]


def test_the_worse_of_several_is_stopped_at_the_rung():
    halving = Halving(ASHA, steps=8)
    reports = [("a", 2, 0.5), ("b", 2, 0.6), ("c", 2, 0.1), ("d", 2, 0.9)]
    assert decisions(halving, reports) == [False, False, True, False]


def test_lower_is_better_where_the_study_minimises():
    halving = Halving(ASHA, steps=8, maximise=False)
    reports = [("a", 2, 0.5), ("b", 2, 0.6), ("c", 2, 0.1), ("d", 2, 0.9)]
    assert decisions(halving, reports) == [False, True, False, True]


def test_nothing_is_stopped_before_the_grace_period():
    halving = Halving(ASHA, steps=8)
    assert decisions(halving, [("a", 1, 0.9), ("b", 1, 0.1)]) == [False, False]


def test_nothing_is_stopped_at_its_last_step():
    halving = Halving(ASHA, steps=8)
    good = [("a", step, 0.9) for step in (2, 4, 8)]
    assert not any(decisions(halving, good))
    assert not halving.stops("b", 8, 0.1)
    assert not halving.stops("c", 9, 0.1)
    assert halving.stops("d", 4, 0.1)


def test_the_same_reports_give_the_same_decisions():
    reports = [(key, step, ord(key) % 5 / step) for step in (2, 4, 6) for key in "abcdefgh"]
    assert decisions(Halving(ASHA, 8), reports) == decisions(Halving(ASHA, 8), reports)


def test_a_repeated_report_changes_nothing():
    reports = [("a", 2, 0.5), ("b", 2, 0.6), ("c", 4, 0.7), ("d", 2, 0.56), ("e", 4, 0.1)]
    twice = [report for report in reports for _ in range(2)]
    once = decisions(Halving(ASHA, 8), reports)
    assert once == [False, False, False, False, True]
    assert decisions(Halving(ASHA, 8), twice)[::2] == once


def test_cells_are_independent():
    one, other = Halving(ASHA, 8), Halving(ASHA, 8)
    for number in range(4):
        one.stops(str(number), 2, 0.9)
    assert one.stops("x", 2, 0.1)
    assert not other.stops("x", 2, 0.1)


def test_without_a_scheduler_nothing_is_stopped():
    halving = Halving(SchedulerSpec(type="none"), steps=8)
    assert not any(halving.stops(key, 4, 1 / (1 + ord(key))) for key in "abcdef")


def test_max_t_is_the_last_step_where_it_is_given():
    halving = Halving(SchedulerSpec(grace_period=2, reduction_factor=2, max_t=4), steps=8)
    assert not halving.stops("a", 4, 0.9)
    assert not halving.stops("b", 4, 0.1)


def test_a_grace_period_beyond_the_training_never_stops():
    halving = Halving(SchedulerSpec(grace_period=100), steps=8)
    assert not any(halving.stops(key, 8, 1 / ord(key)) for key in "abc")
