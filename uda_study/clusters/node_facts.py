"""What a machine of a cluster says of itself; run on each of them."""

from __future__ import annotations

import os
import platform
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@dataclass(frozen=True)
class Facts:
    """One machine: versions, what is wrong with its home, and its clock in Unix seconds."""

    host: str
    python: str
    ray: str
    packages: Mapping[str, str | None]
    trouble: str
    clock: float


def facts(packages: Sequence[str], home: Path, mark: str) -> Facts:
    """Look at this machine, and leave a file of that name in a folder of the home.

    A package that is not there has the version None.
    """
    import ray  # noqa: PLC0415

    trouble = ""
    try:
        place = home / mark.partition("/")[0]
        place.mkdir(parents=True, exist_ok=True)
        (home / mark).write_text(socket.gethostname(), encoding="utf-8")
    except OSError as error:
        trouble = error.strerror or str(error)
    return Facts(
        socket.gethostname(),
        platform.python_version(),
        ray.__version__,
        {name: _version(name) for name in packages},
        trouble,
        time.time(),
    )


def marks(home: Path, folder: str) -> list[str]:
    """Return the files that this machine sees in the folder of the home."""
    place = home / folder
    return sorted(os.listdir(place)) if place.is_dir() else []


def push(home: Path, shared: str, mark: str) -> str:
    """Bring this machine's file to the shared address; return what stood in the way."""
    from uda_study.engine.job import Home  # noqa: PLC0415
    from uda_study.errors import UdaStudyError  # noqa: PLC0415

    try:
        Home(home, shared).mirror.push(home / mark)
    except (UdaStudyError, OSError) as error:
        return str(error)
    return ""


def _version(name: str) -> str | None:
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None
