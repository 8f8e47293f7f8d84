"""The hosts of the tests are apart as machines are."""

import os
import subprocess
from pathlib import Path

from namespaces import interpreter_paths, network, serve_ssh


def alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def test_hosts_reach_one_another_and_nothing_else(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    before = set(os.listdir("/sys/class/net")), Path("/proc/self/mounts").read_text()
    with network(tmp_path / "hosts", ["laptop", "head"], [shared, *interpreter_paths()]) as hosts:
        laptop, head = hosts
        key = tmp_path / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        serve_ssh(head, key.with_suffix(".pub").read_text())
        (laptop.folder / "tmp" / "key").write_bytes(key.read_bytes())
        (laptop.folder / "tmp" / "key").chmod(0o600)
        ssh = "ssh -i /tmp/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
        told = laptop.run(f"{ssh} root@head 'hostname; cat /proc/1/comm'")
        assert told.stdout.split() == ["head", "sleep"]
        # What ends all Rays that it sees, as `ray stop` does, sees those of its host alone.
        head.run("! grep -lsa '[p]ytest' /proc/[0-9]*/cmdline")
        laptop.run(f"touch /tmp/mine ~/mine {shared}/ours")
        assert head.run(f"ls /tmp ~ {shared}").stdout.count("mine") == 0
        assert (shared / "ours").exists()
        processes = head.processes()
        assert any("sshd" in words for words in processes.values())
        assert laptop.processes() == {}
        head.lose_power()
        assert laptop.run("ping -c1 -W1 head || echo silence").stdout.endswith("silence\n")
    assert not any(map(alive, [laptop.root, head.root, *processes]))
    assert before == (set(os.listdir("/sys/class/net")), Path("/proc/self/mounts").read_text())
