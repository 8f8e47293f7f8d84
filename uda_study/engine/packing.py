"""How many trainings fit a cluster at once, and what each of them asks for."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from uda_study.errors import InputError
from uda_study.study.model import ResourcesSpec

_WAITING_BYTES = 2.0**20
_SLACK = 1e-6


@dataclass(frozen=True)
class Machine:
    """What a cluster offers in all; ``nodes``: the CPUs and GPUs of each machine, if not of one."""

    cpus: float
    gpus: float
    nodes: tuple[tuple[float, float], ...] = ()

    @classmethod
    def of(cls, nodes: Iterable[tuple[float, float]]) -> Machine:
        """Return a cluster of machines with so many CPUs and GPUs each."""
        each = tuple(nodes)
        return cls(sum(cpus for cpus, _ in each), sum(gpus for _, gpus in each), each)

    @property
    def each(self) -> tuple[tuple[float, float], ...]:
        """The CPUs and GPUs of every machine."""
        return self.nodes or ((self.cpus, self.gpus),)

    def holds(self, cpu: float, gpu: float) -> int:
        """Return how many processes of that size fit; none of them stretches over two machines."""
        return sum(min(int(cpus / cpu + _SLACK), slots(gpus, gpu)) for cpus, gpus in self.each)


@dataclass(frozen=True)
class Packing:
    """``gpus``: of one training process; a training takes ``gpus_per_training`` of them all.

    ``at_once`` trainings of that size run side by side; how many do is up to
    `uda_study.engine.room.Room`.
    """

    gpus: float
    gpus_per_training: float
    at_once: int


def pack(resources: ResourcesSpec, machine: Machine, most: int | None = None) -> Packing:
    """Return how the study's trainings share the machine; `InputError` if not even one fits."""
    gpus = gpus_of(resources, machine)
    processes = max(1, resources.num_workers)
    if gpus > 1 and gpus != int(gpus):
        raise InputError.of(
            "resources.gpu", "must be a whole number above one", f"{gpus:g}", "choose 1 or 2"
        )
    room = machine.holds(resources.cpu, gpus) // processes
    if room < 1:
        machines = len(machine.nodes) or 1
        raise InputError.of(
            "resources",
            "must fit the cluster",
            f"{processes} x {resources.cpu:g} CPU and {gpus:g} GPU of "
            f"{machine.cpus:g} CPU and {machine.gpus:g} GPU on {machines} machine(s)",
            "lower num_workers, cpu or gpu",
        )
    return Packing(gpus, processes * gpus, min(int(room), most or int(room)))


def slots(gpus: float, share: float) -> int:
    """Return how many processes of such a share so many GPUs hold; a share lies on one GPU.

    >>> [slots(2, share) for share in (0.25, 0.6, 1.0, 2.0)]
    [8, 2, 2, 1]
    """
    if share == 0:
        return sys.maxsize
    if share < 1:
        return int(gpus) * int(1 / share + 1e-6)
    return int(gpus // share)


def share_of(resources: ResourcesSpec, gpus: float) -> dict[str, float]:
    """Return what Tune reserves for a trial whose processes take so many GPUs each.

    Ray Train asks for its workers' share itself. The process of the Tune trial only waits for
    them; it reserves a sliver of memory, because a trial must reserve something.
    """
    if resources.num_workers:
        return {"memory": _WAITING_BYTES}
    return {"cpu": resources.cpu, "gpu": gpus}


def gpus_of(resources: ResourcesSpec, machine: Machine) -> float:
    """Return the GPUs of one process: what the study asks for, or one where there are any."""
    if resources.gpu == "auto":
        return 1.0 if machine.gpus else 0.0
    return float(resources.gpu)
