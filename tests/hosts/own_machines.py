"""A cluster of own machines, brought up by Ray's launcher from ``cluster/local.yaml``."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from namespaces import Host, interpreter_paths, network, serve_ssh

ROOT = Path(__file__).parents[2]
_UP_S = 300
_JOBS = "http://127.0.0.1:8265"
_SSH = (
    "ssh -i ~/.ssh/cluster -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
    "-o LogLevel=ERROR"
)


@dataclass(frozen=True)
class OwnMachines:
    """A client, the head and the workers; ``home`` is the folder that all of them share."""

    client: Host
    head: Host
    workers: Sequence[Host]
    home: Path

    @property
    def hosts(self) -> list[Host]:
        return [self.head, *self.workers]

    def client_runs(self, command: str, code: int = 0) -> str:
        done = self.client.run(f". ~/.bashrc; cd; {command}", _UP_S, code)
        return done.stdout + done.stderr

    def on_head(self, command: str) -> str:
        """Return the words that run a command on the head, from the client through SSH."""
        told = shlex.quote(f". ~/.bashrc; {command}")
        return f"{_SSH} root@{self.head.address} {told}"

    def start_study(self, file: Path, *settings: str) -> subprocess.Popen[bytes]:
        """Start a study that lies in the client's home, as a user does; results come to ``mine``.

        What is printed is in ``log_of`` the file.
        """
        words = ["run", file.name, "--cluster", "local.yaml", "--home", "mine"]
        words += [word for setting in settings for word in ("--set", setting)]
        command = shlex.join(words)
        with self.log_of(file).open("wb") as log:
            return subprocess.Popen(
                self.client.inside(f". ~/.bashrc; cd; exec python -m uda_study {command}"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def log_of(self, file: Path) -> Path:
        return self.client.home(f"{file.stem}.log")

    def alive(self) -> list[str]:
        """Return the addresses of the machines that Ray knows and believes to be alive."""
        token = '-H "Authorization: Bearer $(cat ~/.ray/auth_token)"'
        told = self.head.run(f"curl -s -m 10 {token} {_JOBS}/api/v0/nodes", code=None).stdout
        nodes = json.loads(told)["data"]["result"]["result"] if told.startswith("{") else []
        found = [node["node_ip"] for node in nodes if node["state"] == "ALIVE"]
        return [host.address for host in self.hosts if host.address in found]


@contextmanager
def own_machines(folder: Path, workers: int) -> Iterator[OwnMachines]:
    """Bring a cluster up; all of it ends with the block."""
    home = folder / "home"
    home.mkdir()
    names = ["client", "head", *(f"worker{number}" for number in range(1, workers + 1))]
    shared = [home, ROOT, *interpreter_paths()]
    with network(folder / "hosts", names, shared) as (client, head, *others):
        machines = OwnMachines(client, head, others, home)
        _install(machines)
        machines.client_runs(
            "(umask 077; RAY_AUTH_MODE=token ray get-auth-token --generate >/dev/null)"
        )
        (client.home("local.yaml")).write_text(filled_in(machines))
        machines.client_runs("RAY_USAGE_STATS_ENABLED=0 python -m uda_study cluster up local.yaml")
        yield machines


def filled_in(machines: OwnMachines) -> str:
    """Return ``cluster/local.yaml`` with what its head asks for, and one CPU for every machine."""
    workers = ", ".join(host.address for host in machines.workers)
    text = (ROOT / "cluster" / "local.yaml").read_text()
    for asked, given in (
        ("head_ip: FILL_IN", f"head_ip: {machines.head.address}"),
        ("worker_ips: [FILL_IN, FILL_IN]", f"worker_ips: [{workers}]"),
        ("ssh_user: FILL_IN", "ssh_user: root"),
        ("~/.ssh/FILL_IN", "~/.ssh/cluster"),
        ("UDA_STUDY_HOME=FILL_IN", f"UDA_STUDY_HOME={machines.home}"),
        ("--object-store-memory=", "--num-cpus=1 --object-store-memory="),
    ):
        assert asked in text
        text = text.replace(asked, given)
    return text


def _install(machines: OwnMachines) -> None:
    """Make what the head of the file says the machines need: a key, an environment, a server."""
    key = machines.client.home(".ssh", "cluster")
    key.parent.mkdir(mode=0o700, parents=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    # The folder of the tests is not installed where tests run from a checkout.
    setting = f"export PATH={sys.prefix}/bin:$PATH PYTHONPATH={ROOT} OMP_NUM_THREADS=1\n"
    for host in (machines.client, *machines.hosts):
        host.home().mkdir(parents=True, exist_ok=True)
        host.home(".bashrc").write_text(setting)
    for host in machines.hosts:
        serve_ssh(host, key.with_suffix(".pub").read_text())


def wait_until(
    happened: Callable[[], bool], patience_s: float, what: Callable[[], object] = str
) -> float:
    """Wait for something to happen and return when it was seen, in seconds since 1970."""
    deadline = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < deadline, f"has not happened in {patience_s} s: {what()}"
        time.sleep(0.1)
    return time.time()
