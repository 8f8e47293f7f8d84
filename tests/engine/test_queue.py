from collections import Counter
from collections.abc import Sequence

import pytest
from simulation import (
    FIRST,
    LAST,
    NUM_SAMPLES,
    PUBLISHED,
    STEPS,
    Simulation,
    make_queue,
    scores_of,
)

from uda_study.engine.journal import Event, Finished, Journal, Reported, Started
from uda_study.engine.progress import ProgressMeter
from uda_study.engine.queue import WorkQueue
from uda_study.study.trial import TrialResult, TrialSpec


def drain(queue: WorkQueue) -> list[TrialSpec]:
    """Take all that can be started, each as soon as the segmenter it needs is made."""
    taken = []
    while (spec := queue.next()) is not None:
        queue.reported(spec.key, 0, {})
        taken.append(spec)
    return taken


def end(queue: WorkQueue, spec: TrialSpec) -> None:
    queue.finished(TrialResult(spec.key, "complete", 8, scores_of(spec, 8)))


def started(events: Sequence[Event]) -> list[TrialSpec]:
    return [event.spec for event in events if isinstance(event, Started)]


def test_baselines_without_labels_come_first_then_the_searches_in_turn_then_the_others():
    handed = drain(make_queue())
    searches = handed[2:-2]
    assert handed[:2] == FIRST
    assert [(s.cell, s.number) for s in searches] == [
        (cell, number) for number in range(NUM_SAMPLES) for cell in ("depth=g2", "depth=g4")
    ]
    assert handed[-2:] == LAST


def test_what_would_wait_for_a_segmenter_in_the_making_is_held_back():
    queue = make_queue()
    handed = list(iter(queue.next, None))
    assert handed == [*FIRST, *LAST]  # the searches start from the segmenter of the first baseline
    queue.reported(FIRST[1].key, 0, {})
    assert queue.next() is None
    queue.reported(FIRST[0].key, 0, {})
    assert queue.next().kind == "search"


def test_every_search_begins_with_the_published_setting():
    for spec in drain(make_queue()):
        if spec.kind == "search" and spec.number == 0:
            assert spec.params == {**PUBLISHED, "depth": spec.params["depth"]}


def test_a_cell_is_confirmed_once_its_search_has_ended():
    queue = make_queue()
    handed = drain(queue)
    for spec in handed[:2]:
        end(queue, spec)
    one, other = ([s for s in handed if s.cell == cell] for cell in queue.cells)
    for spec in one[:-1]:
        end(queue, spec)
    assert queue.next() is None
    end(queue, one[-1])
    confirmed = drain(queue)
    best = max(one, key=lambda spec: scores_of(spec, 8)["blind/score"])
    assert [(s.kind, s.cell, s.params, s.seed) for s in confirmed] == [
        ("confirm", best.cell, best.params, 0), ("confirm", best.cell, best.params, 1),
    ]  # fmt: skip
    assert not queue.done
    for spec in [*other, *confirmed]:
        end(queue, spec)
    for spec in [*drain(queue), *handed[-2:]]:
        assert not queue.done
        end(queue, spec)
    assert queue.done


def test_confirmations_come_before_the_labelled_baselines():
    simulation = Simulation(make_queue())
    simulation.run()
    kinds = [(spec.kind, spec.method) for spec in started(simulation.journal)]
    assert kinds[-6:] == [("confirm", "dam")] * 4 + [("baseline", "target_supervised")] * 2


@pytest.mark.parametrize("slots", [1, 3, 7])
def test_no_slot_is_idle_before_the_last_trainings(slots):
    simulation = Simulation(make_queue(), slots)
    results = simulation.run()
    total = 2 * NUM_SAMPLES + 4 + 4
    assert len(results) == total
    # Only at the end there is less work than slots: no more than those last trainings report.
    assert simulation.idle_turns <= (slots - 1) * (len(STEPS) + 1) * 2


def test_pruned_and_diverged_settings_are_not_confirmed():
    simulation = Simulation(make_queue())
    results = simulation.run()
    counts = Counter(result.status for result in results.values())
    assert counts["pruned"] > 0
    assert counts["diverged"] > 0
    chosen = {(s.cell, s.number) for s in started(simulation.journal) if s.kind == "confirm"}
    for spec in started(simulation.journal):
        if spec.kind == "search" and (spec.cell, spec.number) in chosen:
            assert results[spec.key].status == "complete"


def test_a_cell_in_which_all_diverge_has_no_confirmations_and_the_study_ends():
    queue = make_queue(cells=1, num_samples=2)
    for spec in drain(queue):
        if spec.kind == "search":
            queue.finished(TrialResult(spec.key, "diverged", 2))
        else:
            end(queue, spec)
    assert queue.next() is None
    assert queue.done


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_complete_training_without_its_score_teaches_the_search_nothing(value):
    queue = make_queue(cells=1)
    spec = next(spec for spec in drain(queue) if spec.kind == "search")
    scores = {} if value is None else {"blind/score": value}
    queue.finished(TrialResult(spec.key, "complete", 8, scores))
    assert not any(t.state.name == "COMPLETE" for t in queue.cells[spec.cell].search._study.trials)


def test_only_searches_are_stopped_early():
    queue = make_queue()
    baseline = queue.next()
    assert not any(queue.reported(baseline.key, step, {"blind/score": -9.0}) for step in (2, 4, 6))
    search = next(spec for spec in drain(queue) if spec.kind == "search")
    assert not queue.reported(search.key, 2, {"blind/other": 1.0})


def resumed(events: Sequence[Event]) -> Simulation:
    queue = make_queue()
    queue.replay(events)
    return Simulation(queue, journal=list(events))


@pytest.fixture(scope="module")
def whole() -> Simulation:
    simulation = Simulation(make_queue())
    simulation.run()
    return simulation


def test_a_study_cut_off_after_any_event_ends_as_if_it_had_not_been(whole):
    expected = whole.queue.results
    for cut in range(len(whole.journal) + 1):
        simulation = resumed(whole.journal[:cut])
        assert simulation.run() == expected, f"cut after {cut} events"
        ended = Counter(e.result.key for e in simulation.journal if isinstance(e, Finished))
        assert set(ended.values()) <= {1}, f"cut after {cut} events"


def test_a_study_cut_off_again_and_again_ends_the_same(whole):
    events: list[Event] = []
    for _ in range(100):
        simulation = resumed(events)
        simulation.run()
        if len(simulation.journal) <= len(events) + 7:
            break
        events = simulation.journal[: len(events) + 7]
    assert simulation.queue.results == whole.queue.results


def test_nothing_is_lost_or_doubled_when_several_trained_at_once():
    parallel = Simulation(make_queue(), slots=3)
    parallel.run()
    for cut in range(0, len(parallel.journal), 3):
        queue = make_queue()
        queue.replay(parallel.journal[:cut])
        again = Simulation(queue, slots=3, journal=list(parallel.journal[:cut]))
        results = again.run()
        specs = [queue.specs[key] for key in results]
        numbers = Counter((s.cell, s.number) for s in specs if s.kind == "search")
        assert len(numbers) == 2 * NUM_SAMPLES
        assert set(numbers.values()) == {1}
        assert Counter(s.kind for s in specs) == {"search": 16, "confirm": 4, "baseline": 4}


def test_a_training_that_was_cut_off_comes_first(whole):
    cut = next(
        index
        for index, event in enumerate(whole.journal)
        if isinstance(event, Reported) and index > 40
    )
    queue = make_queue()
    queue.replay(whole.journal[: cut + 1])
    assert queue.running == {}
    assert not queue.done
    assert queue.next() == queue.specs[whole.journal[cut].key]


def test_a_stop_that_was_decided_but_not_carried_out_is_not_trained_again(whole):
    index, pruned = next(
        (index, event.result)
        for index, event in enumerate(whole.journal)
        if isinstance(event, Finished) and event.result.status == "pruned"
    )
    queue = make_queue()
    queue.replay(whole.journal[:index])  # its last report is there, its end is not
    assert queue.results[pruned.key] == pruned
    assert queue.next() != queue.specs[pruned.key]


def test_a_line_that_was_removed_from_the_journal_costs_its_training_alone(whole):
    """As the message about a damaged journal advises."""
    for index in range(0, 60, 3):
        events = whole.journal[:60]
        removed = events.pop(index)
        simulation = resumed(events)
        specs = [simulation.queue.specs[key] for key in simulation.run()]
        assert len(specs) == len(whole.queue.results), f"without {removed}"
        numbers = {(s.cell, s.number) for s in specs if s.kind == "search"}
        assert len(numbers) == 2 * NUM_SAMPLES, f"without {removed}"


def test_a_journal_on_disk_resumes_the_same_study(whole, tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    half = whole.journal[: len(whole.journal) // 2]
    for event in half:
        journal.write(event)
    assert resumed(journal.events()).run() == whole.queue.results


def test_progress_counts_trainings_by_how_they_ended(whole):
    meter = ProgressMeter(whole.queue, baselines=4, confirmations_per_cell=2)
    progress = meter.read()
    assert (progress.done, progress.total, progress.running) == (24, 24, 0)
    assert progress.seconds_left == 0
    cell = progress.cells[0]
    assert cell.done + cell.pruned + cell.failed == cell.total == NUM_SAMPLES + 2
    searched = [
        result.scores["blind/score"]
        for key, result in whole.queue.results.items()
        if whole.queue.specs[key].cell == cell.key
        and whole.queue.specs[key].kind == "search"
        and result.status == "complete"
    ]
    assert cell.best == max(searched)


def test_progress_knows_no_time_left_before_a_training_has_ended():
    queue = make_queue()
    queue.next()
    progress = ProgressMeter(queue, baselines=4, confirmations_per_cell=2).read()
    assert (progress.done, progress.running, progress.seconds_left) == (0, 1, None)
