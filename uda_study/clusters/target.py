"""What ``--cluster`` names: a Ray to join, a Jobs API to submit to, or a launcher's file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from uda_study.errors import InputError

_HOST_PORT = re.compile(r"([\w.-]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}")


@dataclass(frozen=True)
class Joined:
    """A Ray that this process becomes a driver of: ``auto`` or ``HOST:PORT``."""

    address: str

    def __str__(self) -> str:
        return self.address


@dataclass(frozen=True)
class JobsApi:
    """The address of a head's dashboard, such as ``http://127.0.0.1:8265``."""

    url: str

    def __str__(self) -> str:
        return self.url

    @property
    def alone(self) -> bool:
        """Whether it is on the loopback interface, which other machines do not reach."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


@dataclass(frozen=True)
class Launched:
    """A file of Ray's cluster launcher."""

    file: Path

    def __str__(self) -> str:
        return str(self.file)


Target = Joined | JobsApi | Launched


def target_of(text: str) -> Target:
    """Return what the text names; `InputError` where it is none of them."""
    if text == "auto" or _HOST_PORT.fullmatch(text):
        return Joined(text)
    if text.startswith(("http://", "https://")) and urlsplit(text).hostname:
        return JobsApi(text.rstrip("/"))
    if Path(text).suffix in (".yaml", ".yml"):
        if not Path(text).is_file():
            raise InputError.of("--cluster", "no such file", text)
        return Launched(Path(text).absolute())
    raise InputError.of(
        "--cluster",
        "must be auto, HOST:PORT, http(s)://HOST:PORT or a launcher's YAML file",
        repr(text),
    )


def submits_to(text: str) -> JobsApi | Launched:
    """Return a target that takes submissions; `InputError` for one that is joined."""
    target = target_of(text)
    if isinstance(target, Joined):
        raise InputError.of(
            "--cluster",
            "must be http(s)://HOST:PORT or a launcher's YAML file here",
            text,
            "the dashboard of a cluster's head listens on port 8265",
        )
    return target
