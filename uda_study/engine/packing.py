"""How many trainings fit a cluster at once, and what each of them asks for."""

from __future__ import annotations

import sys
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

    def holds(self, cpu: float, gpu: float) -> int:
        """Return how many processes of that size fit; none of them stretches over two machines."""
        nodes = self.nodes or ((self.cpus, self.gpus),)
        return sum(min(_parts(cpus, cpu), _parts(gpus, gpu)) for cpus, gpus in nodes)


@dataclass(frozen=True)
class Packing:
    """``share``: what Tune reserves for a trial; ``gpus``: of one training process.

    ``at_once`` trainings run side by side, of ``gpus_per_training`` each.
    """

    share: dict[str, float]
    gpus: float
    gpus_per_training: float
    at_once: int


def pack(resources: ResourcesSpec, machine: Machine, most: int | None = None) -> Packing:
    """Return how the study's trainings share the machine; `InputError` if not even one fits.

    Ray Train asks for its workers' share itself. The process of the Tune trial only waits for
    them; it reserves a sliver of memory, because a trial must reserve something.
    """
    gpus = gpus_of(resources, machine)
    processes = max(1, resources.num_workers)
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
    share = {"cpu": resources.cpu, "gpu": gpus}
    if resources.num_workers:
        share = {"memory": _WAITING_BYTES}
    return Packing(share, gpus, processes * gpus, min(room, most or room))


def _parts(whole: float, part: float) -> int:
    """Return how often the part fits into the whole; without end where nothing is asked for."""
    return int(whole / part + _SLACK) if part else sys.maxsize


def gpus_of(resources: ResourcesSpec, machine: Machine) -> float:
    """Return the GPUs of one process: what the study asks for, or one where there are any."""
    if resources.gpu == "auto":
        return 1.0 if machine.gpus else 0.0
    return float(resources.gpu)
