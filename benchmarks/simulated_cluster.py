"""A Ray cluster of many machines on one: a raylet with its agents stands for each of them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ray._private import utils
from ray._private.authentication.authentication_token_setup import enable_token_auth_by_default
from ray.cluster_utils import Cluster

_OBJECTS = 80 * 2**20
# Threads and arenas of a machine's own, sixty-four times over, are what does not fit into one.
_LEAN = {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "RAY_num_server_call_thread": "1"}


def close_with_token(folder: Path) -> None:
    """Have every Ray that this process and its children start or join ask for a token."""
    token = folder / "token"
    if not token.exists():
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32), encoding="ascii")
    os.environ |= {"RAY_AUTH_TOKEN_PATH": str(token), "RAY_USAGE_STATS_ENABLED": "0"}
    # What the environment says was read when Ray was imported; this reads it again.
    os.environ.pop("RAY_AUTH_MODE", None)
    enable_token_auth_by_default()


@contextmanager
def simulated_cluster(machines: int, slots: int, folder: Path) -> Iterator[str]:
    """Start a head without CPUs and so many machines of so many CPUs; yield its ``HOST:PORT``.

    ``folder`` needs a short path: Ray's sockets lie below it. All listen at this machine's own
    address, as Ray has it, and ask for the token of `close_with_token`.
    """
    os.environ |= _LEAN
    # It would make this cluster the one that `auto` finds for everybody on this machine.
    utils.write_ray_address = lambda *_, **__: None
    cluster = Cluster()
    try:
        cluster.add_node(
            num_cpus=0,
            temp_dir=str(folder),
            include_dashboard=False,
            include_log_monitor=False,
            object_store_memory=_OBJECTS,
        )
        for _ in range(machines):
            cluster.add_node(num_cpus=slots, object_store_memory=_OBJECTS)
        yield cluster.address
    finally:
        cluster.shutdown()


def memory_of(pid: int) -> dict[str, int]:
    """Return the MiB of all processes below one, by what they are; shared pages count once."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has just ended
    found: dict[str, int] = {}
    below = {pid}
    while below:
        below = {child for child, parent in parents.items() if parent in below}
        for child in below:
            try:
                command = Path(f"/proc/{child}/cmdline").read_text()
                rollup = Path(f"/proc/{child}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            kind = next((kind for kind in _KINDS if kind in command), "other")
            pss = next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
            found[kind] = found.get(kind, 0) + pss // 1024
    return found


_KINDS = ("stub_study.py", "gcs_server", "raylet/raylet", "DashboardAgent", "RuntimeEnvAgent",
          "dashboard.py", "monitor.py", "ray::")  # fmt: skip
