"""A cluster of own machines, brought up by Ray's launcher from ``cluster/local.yaml``."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from namespaces import Host, interpreter_paths, network, serve_ssh

ROOT = Path(__file__).parents[2]
_JOINED_RUN = ROOT / "tests" / "hosts" / "joined_run.py"
_UP_S, _STUDY_S = 300, 900
_TOKEN = "ray get-auth-token --generate"
_ALIVE = """
import json, ray
ray.init(address="auto", logging_level=50)
print(json.dumps([node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]]))
"""
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
        exports = (
            "export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=~/.ray/auth_token "
            f"UDA_STUDY_HOME={self.home} UDA_STUDY_MACHINES={len(self.hosts)}"
        )
        told = shlex.quote(f". ~/.bashrc; {exports}; {command}")
        return f"{_SSH} root@{self.head.address} {told}"

    def start_study(self, file: Path, *settings: str) -> subprocess.Popen[str]:
        """Start a study on the head; it prints how it ended."""
        # A study joins the Ray of the machine that it is started on: `--cluster auto`.
        command = self.on_head(shlex.join(["python", str(_JOINED_RUN), str(file), *settings]))
        return subprocess.Popen(
            self.client.inside(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self, study: subprocess.Popen[str]) -> dict:
        """Return how a study ended, once it has."""
        try:
            out, err = study.communicate(timeout=_STUDY_S)
        finally:
            study.kill()
        assert study.returncode == 0, f"{out}\n{err}"
        return json.loads(out.splitlines()[-1])

    def alive(self) -> list[str]:
        """Return the addresses of the machines that Ray knows and believes to be alive."""
        out = self.client_runs(self.on_head(f"python -c {shlex.quote(_ALIVE)}"))
        found = json.loads(out.splitlines()[-1])
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
        machines.client_runs("RAY_USAGE_STATS_ENABLED=0 ray up -y local.yaml")
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


def wait_until(happened, patience_s: float) -> float:
    """Wait for something to happen and return when it was seen, in seconds since 1970."""
    deadline = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < deadline, f"has not happened in {patience_s} s"
        time.sleep(0.1)
    return time.time()
