"""From what ``--cluster`` names to its Jobs API, through a tunnel where there is no other way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from uda_study.clusters.jobs import Jobs, Unreachable, open_jobs
from uda_study.clusters.launcher import Launcher
from uda_study.clusters.target import JobsApi, Launched
from uda_study.clusters.tunnel import tunnel
from uda_study.errors import ClusterError

_STARTING_S, _PAUSE_S = 90.0, 1.0


@contextmanager
def reached(target: JobsApi | Launched) -> Iterator[Jobs]:
    """Yield the cluster's Jobs API; a tunnel that it needs ends with the block.

    Raises `ClusterError` where a launcher's cluster is not up, and what
    `uda_study.clusters.jobs.open_jobs` raises.
    """
    if isinstance(target, JobsApi):
        yield open_jobs(target.url, alone=target.alone)
        return
    launcher = Launcher(target.file)
    # Such a cluster has the token that its file has brought there from here.
    bring_token()
    head = launcher.head()
    if head is None:
        raise ClusterError(f"cluster {launcher.name} is not up; uda-study cluster up {target.file}")
    with tunnel(launcher.ssh(head), [launcher.dashboard_port]) as (port,):
        # The tunnel's end here is on loopback, the head's is for all who are on that machine.
        yield open_jobs(f"http://127.0.0.1:{port}", alone=False)


def bring_token() -> None:
    """Have Ray's clients in this process send the token, unless its environment says otherwise."""
    from ray._raylet import Config  # type: ignore[attr-defined]  # noqa: PLC0415

    if os.environ.setdefault("RAY_AUTH_MODE", "token") == "token":
        # Ray, imported before, has read its environment once and for all.
        Config.initialize("")


def bring_up(target: Launched, tell: Callable[[str], None]) -> None:
    """Bring the cluster up unless its head is, and wait for its Jobs API.

    A running cluster is not touched.
    """
    launcher = Launcher(target.file)
    if launcher.head() is not None:
        return
    tell(f"bringing up cluster {launcher.name}")
    launcher.up(tell)
    deadline = time.monotonic() + _STARTING_S
    while True:
        try:
            with reached(target):
                return
        except Unreachable:
            if time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_S)
