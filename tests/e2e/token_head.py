"""A Ray head of its own with a Jobs API on loopback that asks for a token."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_S = 120
_OBJECTS = 80_000_000


@dataclass(frozen=True)
class Head:
    """Where it listens, its token, and where studies on it keep their state and its copy."""

    url: str
    token: Path
    home: Path
    storage: str


@contextmanager
def token_head(folder: Path) -> Iterator[Head]:
    """Start it, and end all of its processes."""
    token, home = folder / "token", folder / "cluster-home"
    storage = f"file://{folder}/there"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    gcs, dashboard, client, agent, grpc, metrics = free_ports(6)
    # Sockets have short names only.
    scratch = tempfile.mkdtemp(prefix="uda-", dir="/tmp")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "UDA_STUDY_HOME": str(home),
        "UDA_STUDY_STORAGE": storage,
        "OMP_NUM_THREADS": "1",
    }
    # What runs there is what was submitted, not what lies here.
    for name in ("PYTHONPATH", "RAY_ADDRESS", "MLFLOW_TRACKING_URI"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    command += ["--node-ip-address=127.0.0.1", f"--port={gcs}", "--dashboard-host=127.0.0.1"]
    command += [f"--dashboard-port={dashboard}", f"--ray-client-server-port={client}"]
    command += [f"--dashboard-agent-listen-port={agent}", f"--dashboard-agent-grpc-port={grpc}"]
    command += [f"--metrics-export-port={metrics}", f"--temp-dir={scratch}", "--num-cpus=2"]
    command += [f"--object-store-memory={_OBJECTS}", "--disable-usage-stats"]
    log = (folder / "head.log").open("w")
    process = subprocess.Popen(
        command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
    )
    try:
        _wait(process, dashboard, folder / "head.log")
        yield Head(f"http://127.0.0.1:{dashboard}", token, home, storage)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()
        shutil.rmtree(scratch, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(log.read_text())


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback interface on which nothing listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
