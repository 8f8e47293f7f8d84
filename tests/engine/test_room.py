"""Which trainings fit a cluster side by side, on GPUs that are only counted."""

import pytest
from simulation import spec_of

from uda_study.engine.packing import Machine, pack, share_of
from uda_study.engine.room import SHARES, Granted, Room
from uda_study.errors import InputError
from uda_study.study.model import ResourcesSpec
from uda_study.study.trial import TrialResult, TrialSpec

GIB = 2.0**30
CARD = 80 * GIB


def spec(number: int, method: str = "dam", **params) -> TrialSpec:
    return spec_of("search", "cell", number, 0, params, method)


def told(gib: float, share: float = 1.0, parts: int = 1, total: float = CARD) -> dict[str, float]:
    return {
        "cost/gpu_memory_bytes": gib * GIB,
        "cost/gpu_total_bytes": total,
        "cost/gpu_share": share,
        "cost/accumulation": float(parts),
    }


def room(gpus: float = 1, cpus: float = 64, most: int | None = None, **resources) -> Room:
    return Room(ResourcesSpec(**resources), Machine(cpus, gpus), most)


def grants(book: Room, count: int, method: str = "dam", start: int = 0) -> list[float]:
    """Hand out until the room is full; the shares that were granted."""
    found = []
    for number in range(start, start + count):
        granted = book.grant(spec(number, method))
        if granted is None:
            break
        found.append(granted.gpu)
    return found


@pytest.mark.parametrize(
    ("gib", "parts"),
    [(1, 8), (7.8, 8), (7.9, 7), (9, 7), (10.5, 6), (12, 5), (16, 4), (20, 3), (21.5, 3), (22, 2),
     (32.8, 2), (33, 1), (79, 1), (500, 1)],
)  # fmt: skip
def test_a_measured_method_gets_the_smallest_share_that_holds_it(gib, parts):
    book = room()
    book.learn(spec(0), told(gib))
    assert grants(book, 20) == [SHARES[-parts]] * parts


def test_shares_fill_a_gpu_in_the_units_that_ray_counts_in():
    assert SHARES == (0.125, 0.1428, 0.1666, 0.2, 0.25, 0.3333, 0.5, 1.0)


def test_a_method_that_was_never_measured_takes_a_whole_gpu():
    book = room(gpus=2)
    book.learn(spec(0), told(1))
    assert grants(book, 5, "cyclegan") == [1.0, 1.0]


def test_the_largest_peak_of_a_method_counts():
    book = room()
    for gib in (1, 20, 2):
        book.learn(spec(0), told(gib))
    assert grants(book, 9) == [SHARES[-3]] * 3


def test_the_smallest_gpu_that_was_seen_counts():
    book = room()
    book.learn(spec(0), told(5))
    book.learn(spec(1), told(1, total=16 * GIB))
    assert grants(book, 9) == [SHARES[-2]] * 2


def test_a_share_lies_on_one_gpu():
    book = room(gpus=2, gpu=0.6)
    assert grants(book, 9) == [0.6, 0.6]
    assert book.at_once == 2


def test_small_ones_fill_up_the_gpu_that_is_in_use():
    book = room(gpus=2)
    book.learn(spec(0), told(16))
    assert grants(book, 2) == [0.25, 0.25]
    assert grants(book, 1, "cyclegan", start=10) == [1.0]
    assert grants(book, 9, start=20) == [0.25, 0.25]


def test_the_fullest_gpu_that_holds_a_share_gets_it():
    book = room(gpus=2)
    book.learn(spec(0), told(16))
    book.learn(spec(0, "half"), told(30))
    assert grants(book, 2, "half") == [0.5, 0.5]
    assert grants(book, 1, start=10) == [0.25]
    for number in (0, 1):
        book.give_back(spec(number, "half"))
    assert grants(book, 1, start=11) == [0.25]
    assert grants(book, 1, "cyclegan", start=20) == [1.0]


def test_what_ends_makes_room():
    book = room()
    assert grants(book, 3) == [1.0]
    assert book.give_back(spec(0)) == Granted(1.0)
    assert grants(book, 3, start=1) == [1.0]


@pytest.mark.parametrize(
    ("resources", "machine", "most", "expected"),
    [
        ({}, Machine(4, 0), None, 4),
        ({"cpu": 3}, Machine(8, 0), None, 2),
        ({}, Machine(4, 0), 3, 3),
        ({}, Machine(64, 2), None, 16),
        ({}, Machine(3, 2), None, 3),
        ({"gpu": 0.25}, Machine(64, 2), None, 8),
        ({"gpu": 2}, Machine(64, 5), None, 2),
        ({"gpu": 0}, Machine(64, 2), None, 64),
        ({"num_workers": 2}, Machine(64, 5), None, 2),
        ({"num_workers": 2, "gpu": 0.5}, Machine(64, 2), None, 2),
    ],
)
def test_how_many_may_run_at_once(resources, machine, most, expected):
    assert Room(ResourcesSpec(**resources), machine, most).at_once == expected


@pytest.mark.parametrize("resources", [{"gpu": 0.5}, {"num_workers": 2}, {"gpu": 1}])
def test_a_named_share_and_workers_keep_theirs(resources):
    book = room(gpus=2, **resources)
    before = grants(book, 1)
    book.learn(spec(0), told(1))
    book.learn(spec(1), told(1, share=0.5, parts=2))
    book.give_back(spec(0))
    assert grants(book, 1) == before


def test_cpus_are_counted_as_well():
    book = room(gpus=0, cpus=2)
    assert grants(book, 5) == [0.0, 0.0]
    book.give_back(spec(1))
    assert grants(book, 5, start=5) == [0.0]


def test_no_more_run_than_the_study_allows():
    assert grants(room(gpus=0, cpus=9, most=2), 5) == [0.0, 0.0]


def test_lacking_memory_doubles_the_share():
    book = room()
    book.learn(spec(0), told(1))
    book.learn(spec(1), told(4, share=0.125, parts=2))
    assert grants(book, 1) == [0.25]
    book.learn(spec(2), told(4, share=0.25, parts=4))
    book.give_back(spec(0))
    assert grants(book, 1, start=5) == [0.5]
    assert book.known.parts_of(spec(9)) == 1


def test_a_third_is_doubled_to_all_that_holds_two_thirds():
    book = room()
    book.learn(spec(0), told(20))
    book.learn(spec(1), told(20, share=0.3333, parts=2))
    assert grants(book, 3) == [1.0]


def test_parts_that_a_whole_gpu_needed_are_remembered_for_equal_batch_sizes():
    book = room()
    book.learn(spec(0, batch_size=8), told(70, parts=2))
    assert book.grant(spec(1, batch_size=8)) == Granted(1.0, 2)
    book.give_back(spec(1, batch_size=8))
    assert book.grant(spec(2, batch_size=4)).parts == 1
    assert book.known.parts_of(spec(3, "cyclegan", batch_size=8)) == 1


def test_what_needs_parts_of_a_whole_gpu_keeps_all_of_it():
    book = room()
    book.learn(spec(0, batch_size=8), told(5, parts=8))
    assert book.grant(spec(1, batch_size=8)) == Granted(1.0, 8)


def test_a_failure_by_a_small_share_earns_another_try_and_one_by_a_whole_gpu_does_not():
    book = room()
    book.learn(spec(0), told(1))
    scores = {**told(8, share=0.125), "cost/out_of_memory": 1.0}
    result = TrialResult("key", "failed", 0, scores)
    given = book.grant(spec(1))
    book.give_back(spec(1))
    book.learn(spec(1), scores)
    assert book.deserves_more(spec(1), result, given)
    again = book.grant(spec(1))
    assert again.gpu == 0.25
    assert not book.deserves_more(spec(1), TrialResult("key", "failed", 0), given)
    assert not book.deserves_more(spec(1), result, Granted(1.0))


def test_gpu_time_is_that_of_the_share():
    book = room()
    assert book.gpus_of(Granted(0.125)) == 0.125
    assert room(gpus=2, num_workers=2).gpus_of(Granted(1.0)) == 2.0
    assert room(gpus=0).gpus_of(Granted(0.0)) == 0.0


def test_what_no_gpu_can_hold_is_refused_at_once():
    for resources in ({"gpu": 0.6, "num_workers": 3}, {"gpu": 1.5}, {"gpu": 3}):
        with pytest.raises(InputError, match="resources"):
            pack(ResourcesSpec(**resources), Machine(64, 2))


def test_workers_ask_for_their_share_themselves():
    assert set(share_of(ResourcesSpec(num_workers=2), 1.0)) == {"memory"}
    assert share_of(ResourcesSpec(cpu=2), 0.25) == {"cpu": 2, "gpu": 0.25}


def test_a_process_lies_on_one_machine():
    three = Machine.of([(2, 0), (2, 0), (2, 0)])
    assert Room(ResourcesSpec(cpu=2), three).at_once == 3
    assert len(grants(Room(ResourcesSpec(cpu=2), three), 5)) == 3
    with pytest.raises(InputError, match=r"3 CPU and 0 GPU of 6 CPU and 0 GPU on 3 machine"):
        pack(ResourcesSpec(cpu=3), three)


def test_workers_of_one_training_may_lie_on_several_machines():
    book = Room(ResourcesSpec(num_workers=3), Machine.of([(2, 0), (2, 0)]))
    assert book.at_once == 1
    assert len(grants(book, 2)) == 1
    assert sum(node.cpus for node in book._nodes) == 1


def test_a_gpu_beside_too_few_cpus_is_of_no_use():
    book = Room(ResourcesSpec(cpu=4, gpu=0.5), Machine.of([(4, 2), (16, 1)]))
    assert book.at_once == 3
    assert len(grants(book, 9)) == 3


def test_what_was_set_aside_for_workers_that_do_not_all_fit_is_free_again():
    book = Room(ResourcesSpec(num_workers=2), Machine.of([(3, 0)]))
    assert len(grants(book, 3)) == 1
    assert book.grant(spec(7)) is None
    assert book._nodes[0].cpus == 1
