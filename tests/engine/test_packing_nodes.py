import pytest

from uda_study.engine.joining import MACHINES, await_machines
from uda_study.engine.packing import Machine, pack
from uda_study.errors import InputError
from uda_study.study.model import ResourcesSpec


def resources(cpu, gpu=0, num_workers=0):
    return ResourcesSpec(cpu=cpu, gpu=gpu, num_workers=num_workers)


def hosts(*nodes):
    return Machine(sum(cpus for cpus, _ in nodes), sum(gpus for _, gpus in nodes), nodes)


@pytest.mark.parametrize(
    ("nodes", "wanted", "room"),
    [
        ([(2, 0)] * 3, resources(1), 6),
        ([(2, 0)] * 3, resources(2), 3),
        ([(3, 0), (3, 0)], resources(2), 2),
        ([(5, 0), (1, 0)], resources(2), 2),
        ([(8, 1), (8, 1)], resources(1, 1), 2),
        ([(64, 0), (1, 4)], resources(1, 1), 1),
        ([(0, 0), (4, 2)], resources(1, 0.5), 4),
        ([(2, 0)] * 3, resources(1, num_workers=2), 3),
        ([(1, 0)] * 3, resources(1, num_workers=2), 1),
        ([(1, 0)] * 4, resources(0.1, num_workers=2), 20),
    ],
)
def test_a_process_is_counted_where_one_machine_holds_it(nodes, wanted, room):
    assert pack(wanted, hosts(*nodes)).at_once == room


def test_fragments_do_not_make_room_for_a_training():
    with pytest.raises(InputError, match=r"1 x 3 CPU .* of 6 CPU and 0 GPU on 3 machine\(s\)"):
        pack(resources(3), hosts((2, 0), (2, 0), (2, 0)))


def test_a_cluster_of_unknown_machines_counts_as_one():
    assert pack(resources(3), Machine(6, 0)).at_once == 2


class Clock:
    """Time that passes only by sleeping; a machine joins every ``each`` seconds."""

    def __init__(self, each: float) -> None:
        self.now, self.each = 0.0, each

    def joined(self) -> int:
        return 1 + int(self.now / self.each)

    def wait(self) -> bool:
        return await_machines(self.joined, lambda: self.now, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_study_waits_for_the_machines_that_are_still_to_join(monkeypatch):
    monkeypatch.setenv(MACHINES, "3")
    clock = Clock(each=8)
    assert clock.wait()
    assert clock.joined() == 3


def test_a_machine_that_never_joins_is_not_waited_for_without_end(monkeypatch):
    monkeypatch.setenv(MACHINES, "3")
    clock = Clock(each=1000)
    assert not clock.wait()
    assert 100 < clock.now < 200


def test_nothing_is_waited_for_where_no_number_is_known(monkeypatch):
    monkeypatch.delenv(MACHINES, raising=False)
    clock = Clock(each=8)
    assert clock.wait()
    assert clock.now == 0
