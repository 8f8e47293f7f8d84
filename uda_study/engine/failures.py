"""What becomes of a training whose process came to grief: again, finished, or the study stops."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from ray.exceptions import (
    ActorUnavailableError,
    LocalRayletDiedError,
    NodeDiedError,
    OutOfMemoryError,
    RayActorError,
    RayTaskError,
    WorkerCrashedError,
)
from ray.train.v2.api.exceptions import ControllerError, PreemptionError, WorkerGroupError

from uda_study.engine.crew import MAX_LOSSES
from uda_study.engine.disk import FULL, is_full
from uda_study.errors import Diverged

Answer = Literal["again", "finished", "stop"]
_SHOWN = 300
# What Ray says in the text alone; it keeps no field for these two.
_MEMORY, _NODE = "running low on memory", re.compile(r"\bnode (has died|was terminated)", re.I)


@dataclass(frozen=True)
class Fault:
    """One kind of grief: how it is recognised, what is done, and what is said if it ends a study.

    ``limit`` is how often a training is begun again because of it; None: without an end. In
    ``message``, ``{times}`` is how often it happened and ``{detail}`` what was said the last time.
    """

    name: str
    recognises: Callable[[BaseException], bool]
    message: str
    limit: int | None = 0


@dataclass(frozen=True)
class Decision:
    """``answer`` says what to do about the training, ``message`` why, in a line for people."""

    answer: Answer
    fault: Fault
    message: str


PREEMPTED = Fault(
    "preempted",
    lambda e: isinstance(e, PreemptionError) or (isinstance(e, RayActorError) and e.preempted),
    "its machine was taken away",
    limit=None,
)
NODE_LOST = Fault(
    "node lost",
    lambda e: (
        isinstance(e, NodeDiedError | LocalRayletDiedError)
        or (isinstance(e, RayActorError) and bool(_NODE.search(str(e))))
    ),
    "its machine was lost",
    limit=None,
)
OUT_OF_MEMORY = Fault(
    "out of memory",
    lambda e: isinstance(e, OutOfMemoryError | MemoryError) or _MEMORY in str(e),
    "the machine ran out of memory, and its process was ended {times} times; lower "
    "search.max_concurrent_trials, data.patch_size or batch_size, or raise resources.cpu, so that "
    "fewer trainings share the machine",
    limit=MAX_LOSSES,
)
DISK_FULL = Fault("disk full", is_full, f"{FULL} ({{detail}})")
DIVERGED = Fault("diverged", lambda e: isinstance(e, Diverged), "{detail}")
KILLED = Fault(
    "process died",
    lambda e: isinstance(e, RayActorError | ActorUnavailableError | WorkerCrashedError),
    "its process died {times} times without a word of its own; the last time: {detail}",
    limit=MAX_LOSSES,
)
BUG = Fault("bug", lambda _: True, "{detail}")

# The first that recognises any of the errors behind an error: where a machine dies or memory
# runs out, other processes fail by that, each in its own way.
FAULTS = (PREEMPTED, NODE_LOST, OUT_OF_MEMORY, DISK_FULL, DIVERGED, KILLED, BUG)


@dataclass
class Patience:
    """Decides about one error after another, and counts them by training and fault."""

    times: Counter[tuple[str, str]] = field(default_factory=Counter)

    def decide(self, key: str, error: BaseException) -> Decision:
        """Return what to do about the training of that key, which this error ended."""
        behind = list(causes(error))
        fault, cause = next((f, e) for f in FAULTS for e in behind if f.recognises(e))
        self.times[key, fault.name] += 1
        times = self.times[key, fault.name]
        answer: Answer = "again" if fault.limit is None or times <= fault.limit else "stop"
        if fault is DIVERGED:
            answer = "finished"
        return Decision(answer, fault, fault.message.format(times=times, detail=detail(cause)))


def explained(message: str) -> str:
    """Return what a training said of its own failure, with the remedy if its disk was full."""
    full = DISK_FULL.recognises(Exception(message))
    return DISK_FULL.message.format(detail=message) if full else message


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all that stand behind it, as Ray wraps them; the wrappers come last."""
    waiting, seen, wrappers = [error], set[int](), []
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        inner: list[BaseException | None] = [one.__cause__, one.__context__]
        if isinstance(one, RayTaskError):
            inner.append(one.cause if isinstance(one.cause, BaseException) else None)
        elif isinstance(one, WorkerGroupError):
            inner += one.worker_failures.values()
        elif isinstance(one, ControllerError):
            inner.append(one.controller_failure)
        found = [e for e in inner if e is not None]
        waiting += found
        if found and isinstance(one, RayTaskError | WorkerGroupError | ControllerError):
            wrappers.append(one)
        else:
            yield one
    yield from wrappers


def detail(error: BaseException) -> str:
    """Return what an error says, in one short line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Ray's own account of a death is long; its reason stands in its last lines.
    said = lines[-1] if isinstance(error, RayActorError) and lines else " ".join(lines)
    plain = isinstance(error, RayActorError | Diverged)
    named = said if plain else f"{type(error).__name__}: {said}"
    return named if len(named) <= _SHOWN else f"{named[:_SHOWN]} …"
