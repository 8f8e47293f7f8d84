"""Programs of the system that a test needs: there, installed on request, or the test is skipped."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from glob import glob
from pathlib import Path

import pytest

INSTALL = "UDA_STUDY_TEST_INSTALL"


def need(program: str, package: str) -> Path:
    """Return where the program is, from its Debian package if tests may install; else skip."""
    found = _find(program)
    if found is None and os.environ.get(INSTALL) == "1" and os.geteuid() == 0:
        _install(package)
        found = _find(program)
    if found is None:
        pytest.skip(f"needs {program}: apt-get install {package}, or {INSTALL}=1 as root")
    return Path(found)


def _find(program: str) -> str | None:
    # Debian keeps programs of servers out of the usual PATH.
    servers = ("/usr/sbin", "/sbin", *sorted(glob("/usr/lib/postgresql/*/bin")))
    return shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), *servers)))


def _install(package: str) -> None:
    apt = shutil.which("apt-get")
    if apt is None:
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Two workers that test at once would meet at dpkg's own lock.
    with (Path(tempfile.gettempdir()) / "uda-study-apt.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for words in (
            ["update", "-qq"],
            ["install", "-y", "-qq", "--no-install-recommends", package],
        ):
            subprocess.run([apt, *words], env=quiet, check=False, capture_output=True, timeout=300)
