"""A Ray of this machine alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ray._private import ray_constants


@contextmanager
def on_loopback() -> Iterator[None]:
    """Let a Ray that is started meanwhile listen on the loopback interface only.

    Ray 2.60 turns ``_node_ip_address="127.0.0.1"`` into the machine's address and listens on all
    interfaces, except where it does not expect clusters, as on macOS
    (``RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER``, read when Ray is imported). So that is said here.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before
