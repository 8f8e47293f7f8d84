"""Who may talk to a Ray cluster: this machine alone, or whoever has its token."""

from __future__ import annotations

import ipaddress
import os

from uda_study.errors import InputError

_REMEDY = (
    "start it with RAY_AUTH_MODE=token, and here: export RAY_AUTH_MODE=token "
    "RAY_AUTH_TOKEN_PATH=FILE"
)


def refuse_open(host: str) -> None:
    """Raise `InputError` for a host that is not this machine where no token is used.

    Without one, whoever reaches a cluster runs what they like on it (CVE-2023-48022).
    """
    if not _is_loopback(host) and os.environ.get("RAY_AUTH_MODE") != "token":
        raise InputError.of("--cluster", "must be used with a token", host, _REMEDY)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
