import socket
import subprocess
import sys
from pathlib import Path

import pytest

from uda_study.clusters.jobs import Unreachable
from uda_study.clusters.tunnel import Ssh, tunnel

# Listens as ssh -L does, answers each connection with the far side it was asked for, and leaves
# its number behind.
FORWARDING = """\
import os, socket, sys
from pathlib import Path
Path({note!r}).write_text(str(os.getpid()) + " " + " ".join(sys.argv[1:]))
forward = sys.argv[sys.argv.index("-L") + 1]
_, port, far = forward.split(":", 2)
server = socket.create_server(("127.0.0.1", int(port)))
while True:
    one, _ = server.accept()
    one.sendall(far.encode())
    one.close()
"""
REFUSING = """\
import sys
sys.exit("Warning: ...\\nubuntu@10.0.0.4: Permission denied (publickey).")
"""


def program(folder: Path, text: str) -> str:
    path = folder / "ssh"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o700)
    return str(path)


def alive(pid: int) -> bool:
    return subprocess.run(["ps", "-p", str(pid)], capture_output=True, check=False).returncode == 0


def test_a_port_of_the_head_is_here_until_the_block_ends(tmp_path):
    note = tmp_path / "note"
    ssh = Ssh(
        "10.0.0.4", "ubuntu", "own-i-1", Path("/keys/k"), None,
        program(tmp_path, FORWARDING.format(note=str(note))),
    )  # fmt: skip
    with tunnel(ssh, [8265]) as (port,):
        with socket.create_connection(("127.0.0.1", port), 5) as one:
            assert one.recv(100) == b"127.0.0.1:8265"
        pid, _, words = note.read_text().partition(" ")
        assert alive(int(pid))
    assert not alive(int(pid))
    assert words.endswith("ubuntu@10.0.0.4")
    assert "-i /keys/k" in words
    assert "HostKeyAlias=own-i-1" in words
    assert "BatchMode=yes" in words


def test_the_tunnel_ends_with_an_error_in_its_block(tmp_path):
    note = tmp_path / "note"
    ssh = Ssh("h", "u", "a", program=program(tmp_path, FORWARDING.format(note=str(note))))
    with pytest.raises(ZeroDivisionError), tunnel(ssh, [8265]):
        raise ZeroDivisionError
    assert not alive(int(note.read_text().split()[0]))


def test_what_ssh_says_is_why_there_is_no_tunnel(tmp_path):
    ssh = Ssh("10.0.0.4", "ubuntu", "a", program=program(tmp_path, REFUSING))
    with (
        pytest.raises(Unreachable, match=r"no tunnel to ubuntu@10\.0\.0\.4: .*Permission denied"),
        tunnel(ssh, [8265]),
    ):
        pass
