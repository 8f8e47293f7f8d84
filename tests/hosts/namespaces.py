"""Hosts of a private network on one machine, with processes, address, home and /tmp of their own.

A host is a process in namespaces of its own. It and everything in it end with the process that made
it, so nothing stays behind: no named namespace, no interface, no mount.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from system_packages import need

SUBNET = "10.77.0"
_HOME = Path(pwd.getpwuid(os.geteuid()).pw_dir)
_PATIENCE_S = 30

# The first process of a host: it mounts what is the host's own. What is orphaned there leaves no
# zombie, as it ignores SIGCHLD: Ray would wait for one to end.
_BOOT = """
set -e
ip link set lo up
hostname "$NAME"
mount --bind "$OWN/hosts" /etc/hosts
mount -t tmpfs -o size=512m tmpfs /dev/shm
# /tmp last: what is mounted here may lie in it.
for place in "$HOME" /tmp; do
    private="$OWN$place"
    mkdir -p "$private"
    for shared in $SHARED; do case "$shared" in "$place"/*)
        mkdir -p "$OWN$shared"
        mount --rbind "$shared" "$OWN$shared"
    esac; done
    mount --rbind "$private" "$place"
done
chmod 1777 /tmp
cd /
touch /tmp/booted
exec env --ignore-signal=CHLD sleep infinity
"""


@dataclass(frozen=True)
class Host:
    """A machine of the network; ``root`` is the process whose end is its end."""

    name: str
    address: str
    folder: Path
    root: int
    network: int

    def home(self, *parts: str) -> Path:
        """Return a path of the host's home as the real machine sees it."""
        return self.folder.joinpath(_HOME.relative_to("/"), *parts)

    def inside(self, command: str) -> list[str]:
        """Return the words that run a shell command on the host."""
        enter = ["nsenter", "--target", str(self.root), "--all", "--"]
        return [*enter, "env", "-i", f"HOME={_HOME}", *_BASIC, "sh", "-c", command]

    def run(
        self, command: str, timeout: float = _PATIENCE_S, code: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command to its end; ``code`` is what it has to end with."""
        done = subprocess.run(
            self.inside(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        told = f"{self.name}: {command}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert code is None or done.returncode == code, told
        return done

    def processes(self) -> dict[int, str]:
        """Return the command lines of all that runs on the host, its first process apart."""
        space = _namespace(self.root)
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != self.root:
                try:
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                    if words and space is not None and _namespace(int(entry.name)) == space:
                        found[int(entry.name)] = words.decode(errors="replace").strip()
                except OSError:
                    continue
        return found

    def alive(self) -> bool:
        return _namespace(self.root) is not None

    def lose_power(self) -> None:
        """End the host as a power cut does: nobody gets a last packet from it."""
        self._network("ip", "link", "set", _cable(self.address), "down")
        os.kill(self.root, signal.SIGKILL)

    def _network(self, *words: str) -> None:
        enter = ["nsenter", "--target", str(self.network), "--net", "--"]
        subprocess.run([*enter, *words], check=True, capture_output=True, timeout=_PATIENCE_S)


_BASIC = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8")


@contextmanager
def network(folder: Path, names: Sequence[str], shared: Sequence[Path]) -> Iterator[list[Host]]:
    """Give hosts of these names that see the shared folders; skip where that is not allowed.

    Addresses count from 1 in the order of the names.
    """
    for program, package in (("ip", "iproute2"), ("unshare", "util-linux")):
        need(program, package)
    _skip_unless_allowed()
    addresses = {name: f"{SUBNET}.{number}" for number, name in enumerate(names, 1)}
    with ExitStack() as stack:
        switch = stack.enter_context(_running(["unshare", "--net", "sleep", "infinity"], {}))
        enter = ["nsenter", "--target", str(switch), "--net", "--"]
        _until(lambda: _namespace(switch, "net") != _namespace(os.getpid(), "net"))
        for words in ("add lan type bridge", "set lan up", "set lo up"):
            _do(*enter, "ip", "link", *words.split())
        yield [
            stack.enter_context(_host(folder / name, name, addresses, switch, shared))
            for name in names
        ]


@contextmanager
def _host(
    folder: Path, name: str, addresses: Mapping[str, str], switch: int, shared: Sequence[Path]
) -> Iterator[Host]:
    folder.mkdir(parents=True)
    (folder / "tmp").mkdir()
    lines = [f"{address} {other}\n" for other, address in addresses.items()]
    (folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(lines))
    facts = {"NAME": name, "OWN": str(folder), "HOME": str(_HOME), "PATH": os.environ["PATH"]}
    facts["SHARED"] = " ".join(map(str, dict.fromkeys(path.absolute() for path in shared)))
    kinds = ("--net", "--pid", "--mount", "--uts", "--ipc", "--fork", "--kill-child")
    command = ["unshare", *kinds, "--mount-proc", "bash", "-c", _BOOT]
    root = None
    with ExitStack() as stack:
        # After the process that started it: the kernel takes a moment to end all of a host.
        stack.callback(lambda: root is None or _until(lambda: _namespace(root) is None))
        outer = stack.enter_context(_running(command, facts, folder / "boot.log"))
        booted = folder / "tmp" / "booted"
        _until(booted.exists, (folder / "boot.log").read_text)
        children = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        root = int(children[0])
        host = Host(name, addresses[name], folder, root, switch)
        cable = _cable(host.address)
        words = f"ip link add {cable} type veth peer name eth0 netns {host.root}"
        enter = ["nsenter", "--target", str(switch), "--net", "--"]
        _do(*enter, *words.split())
        _do(*enter, "ip", "link", "set", cable, "master", "lan", "up")
        host.run(f"ip address add {host.address}/24 dev eth0 && ip link set eth0 up")
        host.run(f"ip route add default via {SUBNET}.254")
        yield host


def serve_ssh(host: Host, authorized: str) -> None:
    """Start a server on the host that lets in who holds the key, and nobody else."""
    server = need("sshd", "openssh-server")
    need("rsync", "rsync")
    place = host.folder / "tmp" / "sshd"
    place.mkdir(mode=0o700)
    _do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / "host_key"))
    (place / "authorized").write_text(authorized)
    lines = [
        f"ListenAddress {host.address}",
        "HostKey /tmp/sshd/host_key",
        "AuthorizedKeysFile /tmp/sshd/authorized",
        "PidFile /tmp/sshd/pid",
        "PermitRootLogin prohibit-password",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "UsePAM no",
        "StrictModes no",
        "MaxStartups 50",
        "MaxSessions 50",
    ]
    (place / "config").write_text("\n".join(lines) + "\n")
    host.run(f"mkdir -p /run/sshd && {server} -f /tmp/sshd/config -E /tmp/sshd/log")


def interpreter_paths() -> list[Path]:
    """Return the folders without which this interpreter and its packages do not run."""
    return [Path(sys.prefix), Path(sys.base_prefix)]


def _skip_unless_allowed() -> None:
    if shutil.which("nsenter") is None or os.geteuid() != 0:
        pytest.skip("needs root and nsenter: hosts are made of namespaces")
    trial = "ip link add x0 type bridge && ip link add x1 type veth peer name x2"
    words = ["unshare", "--net", "--pid", "--mount", "--uts", "--ipc", "--fork", "--mount-proc"]
    done = subprocess.run(
        [*words, "sh", "-c", trial], capture_output=True, text=True, check=False, timeout=30
    )
    if done.returncode:
        pytest.skip(f"namespaces or bridges are not allowed here: {done.stderr.strip()}")


@contextmanager
def _running(
    words: Sequence[str], environment: Mapping[str, str], log: Path | None = None
) -> Iterator[int]:
    """Run a process that ends with this one, however that ends; give its number."""

    with (log or Path(os.devnull)).open("wb") as out:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *words],
            env={"PATH": os.environ["PATH"], **environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            yield process.pid
        finally:
            process.kill()
            process.wait(timeout=_PATIENCE_S)


def _until(happened: Callable[[], bool], why: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, f"did not come up: {why()}"
        time.sleep(0.02)


def _do(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=_PATIENCE_S)


def _cable(address: str) -> str:
    return f"port{address.rsplit('.', 1)[1]}"


def _namespace(process: int, kind: str = "pid") -> str | None:
    try:
        return os.readlink(f"/proc/{process}/ns/{kind}")
    except OSError:
        return None
