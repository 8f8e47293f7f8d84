"""The tunnel with the system's own ssh and sshd."""

import getpass
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from system_packages import need

from uda_study.clusters.jobs import Unreachable
from uda_study.clusters.tunnel import Ssh, tunnel

_PATIENCE_S = 30


def make_key(path: Path) -> Path:
    words = ["-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(["ssh-keygen", *words], check=True, timeout=_PATIENCE_S)
    return path


@pytest.fixture
def server(tmp_path):
    """An sshd of this user on loopback; yields its port and the key that it lets in."""
    sshd = need("sshd", "openssh-server")
    need("ssh", "openssh-client")
    tmp_path.chmod(0o700)
    key, host_key = make_key(tmp_path / "key"), make_key(tmp_path / "host_key")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it locks root's sessions in
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {host_key}\nAuthorizedKeysFile {key}.pub\n"
        "PasswordAuthentication no\nUsePAM no\nStrictModes no\nPidFile none\n"
    )
    words = [str(sshd), "-D", "-e", "-f", str(tmp_path / "sshd_config")]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    yield port, key
    process.terminate()
    process.wait(_PATIENCE_S)


@pytest.fixture
def far():
    """Something on the machine's loopback interface that says hello; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            # What ssh tries first, to see whether it is let in, is not a connection to here.
            while True:
                try:
                    one, _ = listening.accept()
                except OSError:
                    return
                with one:
                    one.sendall(b"hello")

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(_PATIENCE_S)


def reached_by(folder: Path, port: int, key: Path) -> Ssh:
    """Return how that sshd is reached; launcher files know port 22 alone."""
    program = folder / "ssh"
    program.write_text(
        f'#!/bin/sh\nexec ssh -F none -p {port} -o UserKnownHostsFile={folder}/known "$@"\n'
    )
    program.chmod(0o700)
    return Ssh("127.0.0.1", getpass.getuser(), "own-head", key, None, str(program))


def test_a_port_of_another_machine_is_here(tmp_path, server, far):
    port, key = server
    with (
        tunnel(reached_by(tmp_path, port, key), [far]) as (here,),
        socket.create_connection(("127.0.0.1", here), _PATIENCE_S) as one,
    ):
        one.settimeout(_PATIENCE_S)
        assert one.recv(5) == b"hello"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", here), 1)
    assert (tmp_path / "known").read_text().startswith("own-head ")


def test_a_key_that_is_not_let_in_is_said(tmp_path, server):
    port, _ = server
    with (
        pytest.raises(Unreachable, match="Permission denied"),
        tunnel(reached_by(tmp_path, port, make_key(tmp_path / "other")), [1]),
    ):
        pass


def test_another_machine_under_the_name_of_the_head_is_refused(tmp_path, server):
    port, key = server
    other = make_key(tmp_path / "other_host").with_suffix(".pub").read_text().split()
    (tmp_path / "known").write_text(f"own-head {other[0]} {other[1]}\n")
    with (
        pytest.raises(Unreachable, match="Host key verification failed"),
        tunnel(reached_by(tmp_path, port, key), [1]),
    ):
        pass
