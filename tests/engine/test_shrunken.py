"""A study does not wait for ever for machines that a cluster has lost."""

from types import SimpleNamespace

import pytest

from uda_study.engine.packing import Machine
from uda_study.engine.room import Room
from uda_study.engine.shrunken import PATIENCE_S, ShrunkenStopper
from uda_study.engine.tuning import Foreman
from uda_study.study.model import ResourcesSpec

THREE = Machine.of([(1, 0)] * 3)


class Cluster:
    """What a stopper sees: machines that go and come, and a clock that is set by hand."""

    def __init__(self, resources, whole):
        self.left, self.now = whole, 0.0
        self.foreman = Foreman(*[SimpleNamespace()] * 6, room=Room(resources, whole))
        self.stopper = ShrunkenStopper(self.foreman, lambda: self.left, lambda: self.now)

    def stops(self, after):
        self.now += after
        return self.stopper.stop_all()


def test_a_study_that_no_machine_is_left_for_halts_with_the_remedy():
    cluster = Cluster(ResourcesSpec(num_workers=2), THREE)
    assert not cluster.stops(PATIENCE_S)
    cluster.left = Machine.of([(1, 0)])
    assert not cluster.stops(PATIENCE_S - 1)
    assert cluster.stops(60)
    assert cluster.foreman.halt == "failed"
    told = str(cluster.foreman.trouble)
    assert "1 CPU and 0 GPU on 1 machine(s)" in told
    assert "resume" in told


def test_a_machine_that_comes_back_in_time_is_waited_for():
    cluster = Cluster(ResourcesSpec(num_workers=2), THREE)
    cluster.left = Machine.of([(1, 0)])
    for _ in range(3):
        assert not cluster.stops(PATIENCE_S - 1)
        cluster.left = Machine.of([(1, 0)] * 2)
        assert not cluster.stops(11)
        cluster.left = Machine.of([(1, 0)])
    assert cluster.foreman.trouble is None


@pytest.mark.parametrize(
    ("resources", "whole", "left", "fits"),
    [
        (ResourcesSpec(cpu=1), [(1, 0)] * 3, [(1, 0)], True),
        (ResourcesSpec(cpu=2), [(1, 0), (2, 0)], [(1, 0)], False),
        (ResourcesSpec(cpu=1), [(4, 1), (4, 1)], [(4, 1)], True),
        # What began on GPUs does not go on without.
        (ResourcesSpec(cpu=1), [(4, 0), (4, 1)], [(4, 0)], False),
        (ResourcesSpec(cpu=1), [(1, 0)], [], False),
    ],
)
def test_what_is_left_holds_a_training_or_not(resources, whole, left, fits):
    assert Room(resources, Machine.of(whole)).fits(Machine.of(left)) is fits
