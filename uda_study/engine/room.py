"""Which trainings fit a cluster side by side: what each is given, and what its like have taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from uda_study.engine.packing import Machine, gpus_of
from uda_study.study.model import ResourcesSpec
from uda_study.study.trial import TrialResult, TrialSpec
from uda_study.training.accelerator import CONTEXT_BYTES

MARGIN = 1.2
"""How much more than the measured peak a training is given: fragments, other settings."""

# Ray counts in ten-thousandths of a GPU, rounded: six times 0.1667 would be more than one.
SHARES = tuple(math.floor(10_000 / parts) / 10_000 for parts in range(8, 0, -1))
"""The shares of a GPU that a training may get, smallest first."""

_SLACK = 1e-6
_ENDLESS = Machine(cpus=2.0**30, gpus=0.0)

ParamsOf = Callable[[TrialSpec], Mapping[str, Any]]


@dataclass
class Known:
    """What trainings have told of the GPU memory that they take, from their ``cost/`` scores.

    ``peaks`` in bytes by method; ``total`` of the smallest GPU seen; ``least`` the share that a
    method gets at least, after one of its trainings lacked memory; ``parts`` by method and batch
    sizes, where a whole GPU did not hold a batch.
    """

    params_of: ParamsOf
    peaks: dict[str, float] = field(default_factory=dict)
    total: float = math.inf
    least: dict[str, float] = field(default_factory=dict)
    parts: dict[tuple[str, ...], int] = field(default_factory=dict)

    def learn(self, spec: TrialSpec, scores: Mapping[str, float], grows: bool) -> None:
        """Take in what a training told; ``grows``: whether lacking memory earns a larger share."""
        peak, share = scores.get("cost/gpu_memory_bytes"), scores.get("cost/gpu_share", 1.0)
        if peak is not None:
            self.peaks[spec.method] = max(peak, self.peaks.get(spec.method, 0.0))
            self.total = min(self.total, scores.get("cost/gpu_total_bytes", math.inf))
        parts = int(scores.get("cost/accumulation", 1))
        if parts == 1 and not scores.get("cost/out_of_memory"):
            return
        if grows and share < 1:
            more = _at_least(2 * share)
            self.least[spec.method] = max(more, self.least.get(spec.method, 0.0))
        else:
            batch = self._batch(spec)
            self.parts[batch] = max(parts, self.parts.get(batch, 1))

    def share(self, spec: TrialSpec) -> float:
        """Return the smallest share that holds a training; a whole GPU while none was measured."""
        peak = self.peaks.get(spec.method)
        if peak is None or self.parts_of(spec) > 1:
            return 1.0
        needed = (MARGIN * peak + CONTEXT_BYTES) / self.total
        return max(_at_least(needed), self.least.get(spec.method, 0.0))

    def parts_of(self, spec: TrialSpec) -> int:
        """Return in how many parts trainings with these batch sizes had to go through a batch."""
        return self.parts.get(self._batch(spec), 1)

    def _batch(self, spec: TrialSpec) -> tuple[str, ...]:
        sizes = {n: v for n, v in self.params_of(spec).items() if n.endswith("batch_size")}
        return spec.method, *(f"{name}={size}" for name, size in sorted(sizes.items()))


@dataclass(frozen=True)
class Granted:
    """What a training is given: ``gpu`` of each of its processes, ``parts`` of its batches."""

    gpu: float = 0.0
    parts: int = 1


@dataclass
class _Node:
    """What is free on one machine: CPUs, and the part of each of its GPUs."""

    cpus: float
    gpus: list[float]

    def whole(self) -> list[int]:
        """Return the GPUs that nothing lies on."""
        return [number for number, free in enumerate(self.gpus) if free > 1 - _SLACK]


@dataclass(frozen=True)
class _Place:
    """Where a process lies: the machine, its CPUs there, and its part of each of these GPUs."""

    node: _Node
    cpu: float
    gpus: tuple[int, ...]
    part: float

    def take(self) -> None:
        self.node.cpus -= self.cpu
        for number in self.gpus:
            self.node.gpus[number] -= self.part

    def leave(self) -> None:
        self.node.cpus += self.cpu
        for number in self.gpus:
            self.node.gpus[number] += self.part


class Room:
    """Keeps the books of a cluster's CPUs and GPUs: a training starts when what it needs is free.

    With ``gpu: auto`` a training in the trial's own process gets the share of a GPU that its
    method is known to need. Ray Train workers, who would have to be started anew for another
    share, and trainings of studies that name a share, get always the same. A share lies on one
    GPU; the books put it on the fullest that holds it, as Ray does, and Ray has the last word.
    """

    def __init__(
        self,
        resources: ResourcesSpec | None = None,
        machine: Machine | None = None,
        most: int | None = None,
        params_of: ParamsOf = lambda spec: spec.params,
    ) -> None:
        self.resources = resources or ResourcesSpec()
        machine = machine or _ENDLESS
        self.known = Known(params_of)
        self._machine = machine
        self._nodes = [_Node(cpus, [1.0] * int(gpus)) for cpus, gpus in machine.each]
        self._most = most
        self._usual = gpus_of(self.resources, machine)
        self._processes = max(1, self.resources.num_workers)
        self._places: dict[str, list[_Place]] = {}
        self._granted: dict[str, Granted] = {}

    @property
    def flexible(self) -> bool:
        """Whether shares follow what was measured."""
        r = self.resources
        return r.gpu == "auto" and self._usual > 0 and r.num_workers == 0

    @property
    def at_once(self) -> int:
        """The most trainings that may ever run side by side, at the smallest share."""
        held = self._held_by(self._machine)
        return held if self._most is None else min(held, self._most)

    def fits(self, machine: Machine) -> bool:
        """Tell whether a machine, such as what is left of the cluster, holds a training at all."""
        return self._held_by(machine) > 0

    def grant(self, spec: TrialSpec) -> Granted | None:
        """Set aside what a training needs; None while it is not free."""
        gpu = self.known.share(spec) if self.flexible else self._usual
        if self._most is not None and len(self._places) >= self._most:
            return None
        places: list[_Place] = []
        for _ in range(self._processes):
            place = self._find(gpu)
            if place is None:
                for taken in places:
                    taken.leave()
                return None
            place.take()
            places.append(place)
        self._places[spec.key] = places
        granted = Granted(gpu, self.known.parts_of(spec))
        self._granted[spec.key] = granted
        return granted

    def give_back(self, spec: TrialSpec) -> Granted:
        """Free what a training was given, and return what that was."""
        for place in self._places.pop(spec.key):
            place.leave()
        return self._granted.pop(spec.key)

    def learn(self, spec: TrialSpec, scores: Mapping[str, float]) -> None:
        """Take in what a training told of its memory."""
        self.known.learn(spec, scores, self.flexible)

    def deserves_more(self, spec: TrialSpec, result: TrialResult, given: Granted) -> bool:
        """Tell whether a training failed by its share alone, and would now be given a larger."""
        lacked = result.status == "failed" and bool(result.scores.get("cost/out_of_memory"))
        return lacked and self.flexible and self.known.share(spec) > given.gpu

    def gpus_of(self, given: Granted) -> float:
        """Return how many GPUs a training has with what it was given, all its processes counted."""
        return given.gpu * self._processes

    def _held_by(self, machine: Machine) -> int:
        smallest = SHARES[0] if self.flexible else self._usual
        return machine.holds(self.resources.cpu, smallest) // self._processes

    def _find(self, gpu: float) -> _Place | None:
        """Return where there is room for one process, or None."""
        cpu = self.resources.cpu
        nodes = [node for node in self._nodes if node.cpus + _SLACK >= cpu]
        if gpu == 0:
            return _Place(nodes[0], cpu, (), 0.0) if nodes else None
        if gpu >= 1:
            for node in nodes:
                if len(node.whole()) >= gpu:
                    return _Place(node, cpu, tuple(node.whole()[: int(gpu)]), 1.0)
            return None
        fitting = [
            (node, number)
            for node in nodes
            for number, free in enumerate(node.gpus)
            if free + _SLACK >= gpu
        ]
        if not fitting:
            return None
        node, number = min(fitting, key=lambda place: place[0].gpus[place[1]])
        return _Place(node, cpu, (number,), gpu)


def _at_least(needed: float) -> float:
    """Return the smallest share that is not less than what is needed; all of a GPU at most."""
    return next((share for share in SHARES if share + _SLACK >= min(needed, 1.0)), 1.0)
