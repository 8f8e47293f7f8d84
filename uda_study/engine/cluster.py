"""The Ray that a study runs on: one of its own on this machine, or one that exists."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from uda_study.engine import token
from uda_study.engine.growing import grown_machine
from uda_study.engine.joining import await_machines
from uda_study.engine.loopback import on_loopback
from uda_study.engine.packing import Machine
from uda_study.errors import InputError
from uda_study.training.memory import ALLOCATOR

# Read by Ray at import or at start; none of them changes what is computed.
_ENVIRONMENT = {
    # A study writes its own log; Tune's CSV, JSON and TensorBoard files repeat it for every trial.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # A training that diverges before its first report ends without one.
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    # Interrupts end a study through its stopper, so that everything is written down.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Tune's snapshots are not what a study resumes from.
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_SCHEDULER_EVENTS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # A job that was submitted has an environment already; ours repeats what it says.
    "RAY_OVERRIDE_JOB_RUNTIME_ENV": "1",
}

# Ray keeps a few idle processes ready; with these imported, a training starts in its first second.
_PRELOAD = ("torch", "uda_study.engine.trial", "ray.tune", "ray.train.torch")
_OBJECT_STORE_BYTES = 80 * 2**20
_ANSWER_S = 10.0


def machine() -> Machine:
    """Return what the cluster that this process belongs to offers, or will once it has grown."""
    if (grown := grown_machine()) is not None:
        return grown
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return Machine.of((node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in alive)


@contextmanager
def connect(address: str | None = None, cpus: int | None = None) -> Iterator[Machine]:
    """Start a local Ray, or join the one at ``address``, and leave it at the end.

    A Ray of its own listens on loopback only and stops with the study. ``auto`` joins the one of
    ``RAY_ADDRESS``, or of this machine; `InputError` where there is none, and for one of other
    machines that asks for no token.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    allocator = {name: os.environ.get(name, value) for name, value in ALLOCATOR.items()}
    if address is None:
        os.environ |= allocator  # inherited by all that Ray starts
        token.keep_private()
        with on_loopback():
            ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _node_ip_address="127.0.0.1",
                _system_config={"preload_python_modules": list(_PRELOAD)},
            )
    else:
        _join(address, allocator)
    # With two Rays on one machine, helper actors would not know which one is theirs.
    before = os.environ.get("RAY_ADDRESS")
    os.environ["RAY_ADDRESS"] = ray.get_runtime_context().gcs_address
    try:
        if address is not None:
            token.refuse_open(os.environ["RAY_ADDRESS"])
            await_machines()
        yield machine()
    finally:
        ray.shutdown()
        if before is None:
            os.environ.pop("RAY_ADDRESS", None)
        else:
            os.environ["RAY_ADDRESS"] = before


def _join(address: str, allocator: dict[str, str]) -> None:
    """Become a driver of a Ray that exists; its processes have an environment of their own."""
    environment = {name: os.environ[name] for name in _ENVIRONMENT} | allocator
    refuse_silent(address)
    token.check_token(address)
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": environment},
        )
    except ConnectionError as error:
        raise _silent(address) from error


def refuse_silent(address: str) -> None:
    """Raise `InputError` where nothing listens at ``HOST:PORT``; Ray would try for minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_S).close()
    except OSError as error:
        raise _silent(address) from error


def _silent(address: str) -> InputError:
    return InputError.of(
        "--cluster",
        "no Ray answers there",
        address,
        "on a machine of the cluster auto finds it, elsewhere give HOST:PORT of its head",
    )
