"""A budget is charged while trainings run, over all runs, and ends a study at reports."""

import pytest
from driving import foreman_of, leave, train
from simulation import make_queue

from uda_study.engine.budget import USAGE, Budget, used_gpu_seconds
from uda_study.engine.packing import Machine
from uda_study.engine.room import Room
from uda_study.engine.tuning import HaltStopper
from uda_study.study.model import BudgetSpec, ResourcesSpec


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def budget(clock, tmp_path, gpu_seconds=100.0):
    return Budget(None, gpu_seconds, tmp_path / USAGE, 0.0, clock)


def test_running_trainings_are_charged_before_they_end(clock, tmp_path):
    one = budget(clock, tmp_path)
    one.begin("a", 1.0)
    one.begin("b", 1.0)
    clock.now += 49
    assert not one.spent
    clock.now += 1
    assert one.spent  # two trainings of 50 s each, neither of which has reported
    one.charge("a")
    assert one.used == 50
    one.end("b")
    one.end("a")
    clock.now += 1000
    assert one.used == 100


def test_what_was_used_is_known_to_later_runs(clock, tmp_path):
    one = budget(clock, tmp_path)
    one.begin("a", 2.0)
    clock.now += 30
    one.charge("a")
    clock.now += 500  # it dies here, without a word
    spec = BudgetSpec(gpu_hours=70 / 3600)
    later = Budget.of(spec, tmp_path / USAGE, before=1e6)
    assert (used_gpu_seconds(tmp_path / USAGE), later.used) == (60, 60)
    assert not later.spent
    assert Budget.of(BudgetSpec(gpu_hours=60 / 3600), tmp_path / USAGE).spent
    assert Budget.of(spec, tmp_path / "none.json", before=71.0).spent


def test_without_gpus_gpu_hours_count_nothing(clock, tmp_path):
    one = budget(clock, tmp_path)
    one.begin("a", 0.0)
    clock.now += 1e6
    one.end("a")
    assert not one.spent
    assert not (tmp_path / USAGE).exists()


def test_time_is_that_of_one_run(clock, tmp_path):
    one = Budget(clock.now + 10, None, None, 0.0, clock)
    assert not one.spent
    clock.now += 11
    assert one.spent


def test_out_of_budget_each_training_goes_on_to_its_next_report_and_no_new_one_begins(
    job, clock, tmp_path
):
    foreman = foreman_of(job, make_queue())
    foreman.budget = budget(clock, tmp_path)
    foreman.room = Room(ResourcesSpec(), Machine(64, 2))
    stopper = HaltStopper(foreman)
    first, second = foreman.start("1"), foreman.start("2")
    assert not foreman.report("1", 2, {"blind/score": 0.1})
    clock.now += 60
    assert not stopper.stop_all()  # halted, but both still run
    assert foreman.halt == "budget"
    assert foreman.report("1", 4, {"blind/score": 0.2})
    foreman.finish("1")
    assert not stopper.stop_all()
    leave(job, second)  # it came to its end before its next report
    foreman.finish("2")
    assert stopper.stop_all()
    assert set(foreman.queue.results) == {second.key}
    assert foreman.failures == []
    again = make_queue()
    again.replay(foreman.journal.events())
    assert again.next() == first


def test_an_interruption_does_not_wait_for_reports(job, clock, tmp_path):
    foreman = foreman_of(job, make_queue())
    foreman.budget = budget(clock, tmp_path, gpu_seconds=0.0)
    foreman.start("1")
    assert not HaltStopper(foreman).stop_all()
    foreman.halt = "interrupted"
    assert HaltStopper(foreman).stop_all()


def test_a_training_that_has_ended_is_charged_no_longer(job, clock, tmp_path):
    foreman = foreman_of(job, make_queue())
    foreman.budget = budget(clock, tmp_path)
    foreman.room = Room(ResourcesSpec(), Machine(64, 2))
    train(foreman, "1")
    clock.now += 1e6
    assert not foreman.budget.spent
