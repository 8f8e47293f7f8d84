"""A thousand trainings on sixty-four slots, in simulated time."""

import tracemalloc

import pytest
from many_slots import Cluster, queue_of
from simulation import STEPS

SLOTS, CELLS, SAMPLES = 64, 4, 250


@pytest.fixture(scope="module")
def ran():
    cluster = Cluster(queue_of(CELLS, SAMPLES), SLOTS)
    cluster.run()
    return cluster


def test_no_slot_is_idle_while_something_can_start(ran):
    assert set(ran.idle) <= {"", "segmenters", "choices", "the end"}
    assert ran.idle["nothing"] == 0


def test_slots_wait_for_segmenters_at_the_beginning_and_for_choices_at_the_end_alone(ran):
    whole = ran.busy + sum(ran.idle.values())
    assert ran.idle["segmenters"] / whole < 0.05
    # From the first segmenter to the last hand-out of a search: no share of a slot is lost.
    assert {why for why, idle in ran.idle.items() if idle} <= {
        "segmenters", "choices", "the end",
    }  # fmt: skip


def test_every_training_is_done_once(ran):
    assert set(ran.started.values()) == {1}
    assert len(ran.started) == CELLS * (SAMPLES + 2) + 2 * 2
    results = ran.queue.results
    assert set(results) == set(ran.started)
    pruned = [result for result in results.values() if result.status == "pruned"]
    assert CELLS * SAMPLES / 4 < len(pruned) < CELLS * SAMPLES
    assert {result.step for result in pruned} <= set(STEPS[:-1])


def test_the_queue_keeps_a_few_kilobytes_of_a_training():
    cluster = Cluster(queue_of(CELLS, 50), SLOTS)
    tracemalloc.start()
    try:
        cluster.run()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not cluster.queue.running
    assert kept / len(cluster.started) < 24_000
