"""A Ray that asks for a token, and one that does not, asked as an attacker would."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from uda_study.engine.token import is_open, make_token

pytestmark = pytest.mark.ray

_PATIENCE_S = 60
_BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Head:
    """A Ray's head on loopback: its addresses, the token it was started with, its environment."""

    gcs: str
    jobs: str
    token: str
    environment: dict[str, str]

    def ask(self, token: str | None) -> int:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{self.jobs}/api/jobs/", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def run(self, program: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, self.gcs], capture_output=True, text=True,
            timeout=_PATIENCE_S, env=self.environment | environment, check=False,
        )  # fmt: skip


def free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def start(mode: str, place: Path):
    """Yield a head of that mode; all that it started is killed with it."""
    home = place / "home"
    token = make_token(home / ".ray" / "auth_token").read_text()
    environment = {
        **os.environ, "HOME": str(home), "RAY_AUTH_MODE": mode,
        "RAY_TMPDIR": str(place),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on loopback, as a test should be
    }  # fmt: skip
    for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        environment.pop(name, None)
    port, jobs, agent = free_ports(3)
    command = [
        str(_BIN / "ray"), "start", "--head", "--block", f"--port={port}",
        "--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={jobs}",
        f"--dashboard-agent-listen-port={agent}", "--num-cpus=1", "--disable-usage-stats",
        "--object-store-memory=80000000", f"--temp-dir={place / 'r'}",
    ]  # fmt: skip
    with (place / "log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    head = Head(f"127.0.0.1:{port}", f"http://127.0.0.1:{jobs}", token, environment)
    try:
        await_jobs(head, process)
        yield head
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE_S)
        finally:
            end_session(process.pid)


def await_jobs(head: Head, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if head.ask(head.token) == 200:
                return
        except OSError:
            pass  # not there yet
        time.sleep(0.2)
    pytest.fail("the head did not come up")


def end_session(leader: int) -> None:
    """Kill what is left in the session that the process began."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader:
                os.kill(int(stat.parent.name), signal.SIGKILL)
        except (OSError, ProcessLookupError):
            continue


@pytest.fixture
def place():
    """Return a folder with a path short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="uda-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


JOIN = """
import sys
from uda_study.cli.console import reported_errors
from uda_study.engine.cluster import connect
with reported_errors(), connect(sys.argv[1]) as machine:
    print("joined", machine)
"""


def test_only_the_right_token_opens_a_cluster(place):
    for head in start("token", place):
        assert [head.ask(token) for token in (None, "wrong", head.token)] == [401, 403, 200]
        assert not is_open(head.gcs)
        joined = head.run(JOIN)
        offered = "Machine(cpus=1.0, gpus=0.0, nodes=((1.0, 0.0),))"
        assert joined.stdout == f"joined {offered}\n", joined.stderr
        wrong = head.run(JOIN, RAY_AUTH_TOKEN="wrong")
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert "uda-study: error: token: is not the cluster's" in wrong.stderr
        assert "Traceback" not in wrong.stderr


def test_a_cluster_without_a_token_answers_everybody(place):
    for head in start("disabled", place):
        assert head.ask(None) == 200
        assert is_open(head.gcs)


LOCAL = """
import os, sys
from pathlib import Path
from uda_study.engine.cluster import connect
with connect(cpus=1):
    mine = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if int((process / "stat").read_text().rpartition(")")[2].split()[3]) == os.getsid(0):
                mine |= {os.readlink(f) for f in (process / "fd").iterdir() if f.is_symlink()}
        except OSError:
            continue
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in mine:
                print(fields[1].rpartition(":")[0])
"""
_LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


def test_a_ray_of_its_own_listens_on_loopback_only_and_asks_for_a_private_token(place):
    environment = {**os.environ, "HOME": str(place), "RAY_AUTH_MODE": "disabled"}
    environment.pop("RAY_AUTH_TOKEN_PATH", None)
    done = subprocess.run(
        [sys.executable, "-c", LOCAL], capture_output=True, text=True, timeout=_PATIENCE_S,
        env=environment, start_new_session=True, check=True,
    )  # fmt: skip
    listening = done.stdout.split()
    assert len(listening) >= 3, done.stderr
    assert set(listening) <= _LOOPBACK
    assert (place / ".ray" / "auth_token").stat().st_mode & 0o777 == 0o600
