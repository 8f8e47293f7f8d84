from collections.abc import Sequence

import pytest
from simulation import Simulation, make_queue

from uda_study.engine.journal import Event, Failed, Finished, Journal, Retried, Started
from uda_study.engine.retry import faulty, named, reopen_diverged
from uda_study.engine.trial import RESULT, read_result, write_result
from uda_study.study.trial import TrialResult, TrialSpec


@pytest.fixture(scope="module")
def whole() -> Simulation:
    simulation = Simulation(make_queue())
    simulation.run()
    return simulation


def diverged(events: Sequence[Event]) -> list[str]:
    ends = [event.result for event in events if isinstance(event, Finished)]
    return [result.key for result in ends if result.status == "diverged"]


def write(journal: Journal, events: Sequence[Event]) -> None:
    for event in events:
        journal.write(event)


def test_what_failed_is_found_with_its_attempts_until_it_has_ended_well(whole, tmp_path):
    (start, *_) = whole.journal
    key = start.spec.key
    events: list[Event] = [start, Failed(key, "one"), start, Failed(key, "two")]
    (one,) = faulty(events, tmp_path)
    assert (one.spec, one.fault, one.attempts, one.message) == (start.spec, "failed", 2, "two")
    assert str(one).endswith(f"({key}, 2 attempts): two")
    ended = [*events, start, Finished(TrialResult(key, "complete", 8))]
    assert faulty(ended, tmp_path) == ()


def test_what_an_interruption_cut_off_did_not_fail(whole, tmp_path):
    assert faulty(whole.journal[:1], tmp_path) == ()


def test_a_failure_from_before_failures_were_journalled_is_found_in_its_folder(whole, tmp_path):
    (start, *_) = whole.journal
    folder = tmp_path / "trials" / start.spec.key
    folder.mkdir(parents=True)
    write_result(folder, TrialResult(start.spec.key, "failed", 0, {}, "lost"))
    (one,) = faulty([start], tmp_path)
    assert (one.attempts, one.message) == (1, "lost")


def test_a_diverged_training_is_done_again_and_stands_as_it_ends_then(whole, tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    write(journal, whole.journal)
    found = faulty(journal.events(), tmp_path)
    assert [one.spec.key for one in found] == diverged(whole.journal)
    (again, *_) = found
    folder = tmp_path / "trials" / again.spec.key
    folder.mkdir(parents=True)
    write_result(folder, TrialResult(again.spec.key, "diverged", 2))
    reopen_diverged(journal, tmp_path, [again])
    assert read_result(folder) is None

    queue = make_queue()
    queue.replay(journal.events())
    assert not queue.done
    assert queue.unfinished() == [again.spec]
    assert queue.next() == again.spec
    end = TrialResult(again.spec.key, "complete", 8, {"blind/score": 9.0, "blind/entropy": 9.0})
    queue.finished(end)
    confirmations = [queue.next(), queue.next()]
    assert {spec.params["lr"] for spec in confirmations} == {again.spec.params["lr"]}
    for spec in confirmations:
        queue.finished(TrialResult(spec.key, "complete", 8, {"blind/score": 9.0}))
    assert queue.done
    assert len(queue.superseded()) == 2

    write(journal, [Started(again.spec), Finished(end)])
    replayed = make_queue()
    replayed.replay(journal.events())
    assert replayed.results[again.spec.key] == end
    assert [one.spec.key for one in faulty(journal.events(), tmp_path)] == [
        one.spec.key for one in found[1:]
    ]


def test_a_second_divergence_counts_as_a_second_attempt(whole, tmp_path):
    key = diverged(whole.journal)[0]
    spec = next(e.spec for e in whole.journal if isinstance(e, Started) and e.spec.key == key)
    end = Finished(TrialResult(key, "diverged", 2, {}, "not finite"))
    (one,) = faulty([Started(spec), end, Retried(key), Started(spec), end], tmp_path)
    assert (one.fault, one.attempts) == ("diverged", 2)


def test_a_retry_cut_off_before_it_began_is_taken_up(whole, tmp_path):
    (key, *_) = diverged(whole.journal)
    for events in ([*whole.journal, Retried(key)], [*whole.journal, Retried(key), Retried(key)]):
        simulation = Simulation(make_queue(), journal=[])
        simulation.queue.replay(events)
        simulation.run()
        ends = [e.result.key for e in simulation.journal if isinstance(e, Finished)]
        assert ends == [key]


def test_failures_of_a_study_do_not_change_what_it_proposes(whole):
    events: list[Event] = []
    for event in whole.journal[:60]:
        if isinstance(event, Started):
            events += [event, Failed(event.spec.key, "a bug")]
        events.append(event)
    queue = make_queue()
    queue.replay(events)
    assert Simulation(queue, journal=list(events)).run() == whole.queue.results


def test_trainings_are_named_as_people_would():
    def spec(kind, fold=0):
        return TrialSpec("tiny-1", kind, "depth=g2", 3, "dam", "mr->ct", fold, 7, {})

    assert named(spec("search")) == "search 3 of depth=g2"
    assert named(spec("confirm", 2)) == "confirmation of depth=g2, seed 7 fold 2"
    assert named(spec("baseline")) == "depth=g2, seed 7"


def test_a_failed_training_keeps_its_result_for_the_run_that_does_it_again(whole, tmp_path):
    (start, *_) = whole.journal
    folder = tmp_path / "trials" / start.spec.key
    folder.mkdir(parents=True)
    write_result(folder, TrialResult(start.spec.key, "failed", 0, {}, "a bug"))
    journal = Journal(tmp_path / "journal.jsonl")
    write(journal, [start, Failed(start.spec.key, "a bug")])
    before = journal.events()
    reopen_diverged(journal, tmp_path, faulty(before, tmp_path))
    assert journal.events() == before
    assert (folder / RESULT).exists()
