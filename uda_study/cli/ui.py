"""``uda-study ui``: browse all studies in MLflow."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import Annotated

import typer

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, ClusterOption, HomeOption

_HOST = "127.0.0.1"
_PAUSE_S = 0.2


def ui(
    port: Annotated[int, typer.Option("--port", help="The port to listen on.")] = 5000,
    cluster: ClusterOption = None,
    home: HomeOption = HOME,
) -> None:
    """Serve MLflow's pages for this machine alone, until interrupted.

    With --cluster, those of the runs that a cluster's head has.
    """
    if cluster is not None:
        _of_cluster(cluster, port)
        return
    from uda_study.clusters.pages import ready
    from uda_study.errors import InputError
    from uda_study.tracking.place import shown, tracking_uri
    from uda_study.tracking.store import open_store

    folder = home.absolute()
    uri = tracking_uri(folder)
    elsewhere = uri.startswith(("http://", "https://"))
    if not elsewhere and _is_listening(port):
        raise InputError.of("--port", "another program listens there", port, "--port NUMBER")
    open_store(folder)
    if elsewhere:
        Screen().note(f"the studies are tracked by a server of its own: {shown(uri)}")
        return
    command = [sys.executable, "-m", "mlflow", "ui"]
    environment = {
        **os.environ,
        # It may hold a password, and everybody here can read command lines.
        "MLFLOW_BACKEND_STORE_URI": uri,
        # Its background jobs are for tracing of language models; they would outlive the server.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    process = subprocess.Popen(
        [*command, "--host", _HOST, "--port", str(port)], env=environment, start_new_session=True
    )

    def stop(number: int, frame: object) -> None:
        del frame
        # The server has processes of its own; its whole group is told.
        os.killpg(process.pid, number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    while process.poll() is None and not _is_listening(port):
        time.sleep(_PAUSE_S)
    if process.poll() is None:
        Screen().note(ready(port))
    raise SystemExit(max(0, process.wait()))


def _is_listening(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex((_HOST, port)) == 0


def _of_cluster(cluster: str, port: int) -> None:
    from uda_study.clusters.pages import served
    from uda_study.clusters.target import submits_to

    # Both end the server on the head, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with served(submits_to(cluster), port) as said:
        Screen().note(f"{said}\nstop with Ctrl-C")
        with suppress(KeyboardInterrupt):
            signal.pause()
