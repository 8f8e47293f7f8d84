"""A Postgres of its own on a Unix socket, which no other process knows of."""

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from system_packages import need

_PATIENCE_S = 60


def _programs() -> Path:
    """Return the folder of Postgres's programs; Debian keeps them away from the search path."""
    for version in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True):
        return version.parent
    return need("initdb", "postgresql").resolve().parent


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the address of an empty database with a password; the server ends with the block."""
    programs = _programs()
    # A socket's path has to be short, and Postgres refuses to run as root.
    with tempfile.TemporaryDirectory(prefix="pg") as name:
        folder = Path(name)
        become = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            become = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}
        secret = folder / "secret"
        secret.write_text("canary-password\n")
        secret.chmod(0o644)

        def run(program: str, *words: str) -> None:
            done = subprocess.run(
                [programs / program, *words], capture_output=True, text=True, cwd=folder,
                timeout=_PATIENCE_S, check=False, **become,
            )  # fmt: skip
            if done.returncode:
                pytest.fail(f"{program}: {done.stdout}\n{done.stderr}")

        data = folder / "data"
        run("initdb", "-D", str(data), "-U", "lab", "-A", "password", f"--pwfile={secret}", "-N")
        settings = f"-k {folder} -c listen_addresses='' -F"
        run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", settings, "start")
        try:
            yield f"postgresql://lab:canary-password@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
