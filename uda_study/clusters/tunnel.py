"""Ports of a cluster's head, brought to this machine's loopback interface by an ssh of ours."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from uda_study.clusters.jobs import Unreachable

_LOOPBACK = "127.0.0.1"
_OPENING_S, _ENDING_S, _POLL_S = 60.0, 5.0, 0.1


@dataclass(frozen=True)
class Ssh:
    """How a machine is reached: whom as, by which key, through what.

    ``alias`` is the name under which its host key is kept: addresses of machines that are gone are
    given to others.
    """

    host: str
    user: str
    alias: str
    key: Path | None = None
    proxy: str | None = None
    program: str = "ssh"

    def command(self, *options: str) -> list[str]:
        """Return the command line up to the machine's name; it never asks anything."""
        words = [self.program, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"]
        words += ["-o", f"HostKeyAlias={self.alias}", "-o", "ConnectTimeout=15"]
        words += ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"]
        if self.key is not None:
            words += ["-i", str(self.key), "-o", "IdentitiesOnly=yes"]
        if self.proxy is not None:
            words += ["-o", f"ProxyCommand={self.proxy}"]
        return [*words, *options, f"{self.user}@{self.host}"]


@contextmanager
def tunnel(
    ssh: Ssh, ports: Sequence[int], local: Sequence[int] | None = None
) -> Iterator[list[int]]:
    """Yield the ports here that lead to those of the machine's own loopback interface.

    ``local`` asks for certain ports here. The ssh ends with the block. Raises `Unreachable` with
    what ssh said where it cannot be opened.
    """
    here = list(local) if local is not None else _free(len(ports))
    forwards = [
        word
        for port, far in zip(here, ports, strict=True)
        for word in ("-L", f"{_LOOPBACK}:{port}:{_LOOPBACK}:{far}")
    ]
    command = ssh.command("-N", "-T", "-o", "ExitOnForwardFailure=yes", *forwards)
    with tempfile.TemporaryFile() as said:
        # In a session of its own: Ctrl-C is for us, and we end it.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        try:
            _wait_open(process, here[0])
            if process.poll() is not None:
                said.seek(0)
                lines = said.read().decode("utf-8", "replace").strip().splitlines()
                reason = lines[-1] if lines else f"ssh ended with {process.returncode}"
                raise Unreachable(f"no tunnel to {ssh.user}@{ssh.host}: {reason}")
            yield here
        finally:
            _end(process)


def _wait_open(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the port takes connections or ssh has ended; ssh listens once it is let in."""
    deadline = time.monotonic() + _OPENING_S
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((_LOOPBACK, port), 1.0):
            return
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            return
        time.sleep(_POLL_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def _free(count: int) -> list[int]:
    """Return ports that nothing listens on; ssh ends with an error where one is taken meanwhile."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((_LOOPBACK, 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()
