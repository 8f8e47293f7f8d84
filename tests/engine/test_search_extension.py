from collections import Counter
from dataclasses import replace

import pytest
from simulation import NUM_SAMPLES, Simulation, make_queue, scores_of

from uda_study.engine.journal import Event, Finished, Reported, Started
from uda_study.engine.progress import ProgressMeter
from uda_study.engine.queue import WorkQueue
from uda_study.study.model import SearchSpec

MORE = NUM_SAMPLES + 6


def extended(events, samples: int = MORE, cells: int = 2) -> Simulation:
    """Return the study taken up with more trials per cell; its samplers are those it began with."""
    queue = make_queue(cells=cells, num_samples=samples)
    for work in queue.cells.values():
        work.search.spec = SearchSpec(num_samples=samples, extended_from=(NUM_SAMPLES,))
    queue.replay(events)
    return Simulation(queue, journal=list(events))


@pytest.fixture(scope="module")
def first() -> Simulation:
    simulation = Simulation(make_queue())
    simulation.run()
    return simulation


@pytest.fixture(scope="module")
def longer(first) -> Simulation:
    simulation = extended(first.journal)
    simulation.run()
    return simulation


def confirmed(queue: WorkQueue, cell: str) -> set[int]:
    return {s.number for s in queue.specs.values() if s.kind == "confirm" and s.cell == cell}


def best(queue: WorkQueue, cell: str) -> int:
    """Return the number of the search trial that scores best, without asking the queue."""
    complete = [
        spec
        for key, spec in queue.specs.items()
        if spec.kind == "search" and spec.cell == cell and queue.results[key].status == "complete"
    ]
    return max(complete, key=lambda spec: scores_of(spec, 8)["blind/score"]).number


def test_all_cells_get_as_many_trials_more_and_nothing_is_done_twice(first, longer):
    queue = longer.queue
    searches = Counter(s.cell for s in queue.specs.values() if s.kind == "search")
    assert set(searches.values()) == {MORE}
    ended = Counter(e.result.key for e in longer.journal if isinstance(e, Finished))
    assert set(ended.values()) == {1}
    for key, result in first.queue.results.items():
        assert queue.results[key] == result


def test_what_is_chosen_then_is_confirmed_and_what_was_chosen_before_stays_on_record(first, longer):
    rechosen = 0
    for cell in longer.queue.cells:
        before, now = best(first.queue, cell), best(longer.queue, cell)
        assert confirmed(first.queue, cell) == {before}
        assert confirmed(longer.queue, cell) == {before, now}
        rechosen += before != now
    assert rechosen > 0  # otherwise this test shows nothing
    superseded = longer.queue.superseded()
    assert len(superseded) == 2 * rechosen
    assert all(s.number == best(first.queue, s.cell) for s in superseded)
    assert first.queue.superseded() == []


@pytest.mark.parametrize("events", [0, 20, 40])
def test_a_study_extended_early_proposes_first_what_it_would_have_anyway(first, events):
    def settings(queue):
        return {(s.cell, s.number): s.params for s in queue.specs.values() if s.kind == "search"}

    early = extended(first.journal[:events])
    early.run()
    assert settings(first.queue).items() <= settings(early.queue).items()


def test_an_extension_cut_off_after_any_event_ends_as_if_it_had_not_been(first, longer):
    for cut in range(len(first.journal), len(longer.journal) + 1, 2):
        simulation = extended(longer.journal[:cut])
        assert simulation.run() == longer.queue.results, f"cut after {cut} events"


def test_a_study_extended_twice_is_one_study(first, longer):
    simulation = extended(longer.journal, MORE + 3)
    results = simulation.run()
    searches = [simulation.queue.specs[key] for key in results]
    assert sum(s.kind == "search" for s in searches) == 2 * (MORE + 3)
    assert longer.queue.results.items() <= results.items()


def confirming(events: list[Event]) -> int:
    """Return the place after the first report of a confirmation."""
    keys = {e.spec.key for e in events if isinstance(e, Started) and e.spec.kind == "confirm"}
    return 1 + next(i for i, e in enumerate(events) if isinstance(e, Reported) and e.key in keys)


def test_a_confirmation_that_was_cut_off_waits_for_the_new_choice(first):
    cut = first.journal[: confirming(first.journal)]
    spec = [event.spec for event in cut if isinstance(event, Started)][-1]
    as_before = make_queue()
    as_before.replay(cut)
    assert as_before.next() == spec
    simulation = extended(cut)
    assert simulation.queue.next().kind == "search"
    simulation = extended(cut)
    simulation.run()
    chosen = best(simulation.queue, spec.cell)
    assert confirmed(simulation.queue, spec.cell) == {chosen}


def test_equal_settings_are_confirmed_once_whoever_drew_them(first):
    queue = extended(first.journal).queue
    (work, *_) = queue.cells.values()
    (number,) = confirmed(first.queue, work.cell.key)
    twin = next(s for s in work.started.values() if s.number == number)
    while (spec := queue.next()) is not None:
        queue.reported(spec.key, 0, {})
        if spec.kind == "search" and spec.cell == work.cell.key:
            # Each further trial draws the setting that was confirmed.
            drawn = work.started[spec.key] = replace(spec, params=twin.params)
            scores = scores_of(drawn, 8)
        else:
            scores = scores_of(spec, 8)
        queue.finished(replace(first.queue.results[twin.key], key=spec.key, scores=scores))
    assert queue.done
    assert confirmed(queue, work.cell.key) == {number}


def test_the_progress_counts_what_is_no_longer_chosen_as_done(first, longer):
    meter = ProgressMeter(longer.queue, baselines=4, confirmations_per_cell=2)
    progress = meter.read()
    assert progress.done == progress.total == len(longer.queue.results)
    begun = extended(first.journal)
    progress = ProgressMeter(begun.queue, baselines=4, confirmations_per_cell=2).read()
    assert progress.done == len(first.queue.results)
    assert progress.total == progress.done + 2 * (6 + 2)
