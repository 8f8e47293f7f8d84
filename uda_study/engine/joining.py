"""Machines that a cluster is made of and that join it one after another."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import ray

MACHINES = "UDA_STUDY_MACHINES"
_PATIENCE_S = 120.0
_PAUSE_S = 0.5


def _joined() -> int:
    return sum(node["Alive"] for node in ray.nodes())


def await_machines(
    joined: Callable[[], int] = _joined,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Return whether as many machines have joined as the cluster is said to have, once they have.

    How many run trainings side by side is settled when a study begins, and workers start after
    their head. ``UDA_STUDY_MACHINES``, set where the head is started, says how many there are;
    without it nothing is waited for. After 120 s those that are there have to do.
    """
    wanted = int(os.environ.get(MACHINES, "0"))
    end = clock() + _PATIENCE_S
    while joined() < wanted:
        if clock() >= end:
            return False
        sleep(_PAUSE_S)
    return True
