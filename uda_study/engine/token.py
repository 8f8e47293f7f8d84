"""The token that closes a Ray cluster to all who do not have it.

Whoever reaches an open Ray runs code there (CVE-2023-48022). Ray 2.60 asks for a token where
``RAY_AUTH_MODE=token`` was set when it was started; it finds the token in ``RAY_AUTH_TOKEN``, in
the file of ``RAY_AUTH_TOKEN_PATH`` or in ``~/.ray/auth_token``. A token is no encryption.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import stat
from pathlib import Path

import grpc  # type: ignore[import-untyped]

from uda_study.errors import InputError

MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"

_BYTES = 32
_PATIENCE_S = 30.0
# Answers with what everybody inside a cluster may know, and takes no arguments.
_HARMLESS = "/ray.rpc.NodeInfoGcsService/GetAllNodeInfo"
_REFUSED = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
_REMEDY = (
    "start it with RAY_AUTH_MODE=token and a token in a file of its own: umask 077; "
    "export RAY_AUTH_MODE=token; ray get-auth-token --generate >/dev/null; name the file's copy "
    "elsewhere by RAY_AUTH_TOKEN_PATH"
)


def token_file() -> Path:
    """Return the file in which Ray looks for the token, whether it is there or not."""
    named = os.environ.get(TOKEN_PATH)
    return Path(named).expanduser() if named else Path.home() / ".ray" / "auth_token"


def make_token(path: Path | None = None) -> Path:
    """Write a new token that its owner alone can read, unless there is one; return its file."""
    file = path or token_file()
    if file.exists():
        return file
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise InputError.of(
            "token", f"cannot be written ({error.strerror})", file, f"name a file by {TOKEN_PATH}"
        ) from error
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(secrets.token_hex(_BYTES))
    return file


def keep_private() -> None:
    """See to it that a Ray on this machine asks for a token that is its owner's alone.

    Other users of the machine reach its loopback interface, too. Ray 2.60 asks for a token there
    by default, but writes it for all to read.
    """
    os.environ.pop(MODE, None)  # unset is what makes Ray take a token for a cluster of its own
    if os.environ.get(TOKEN):
        return
    file = make_token()
    found = file.stat()
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077:
        file.chmod(0o600)


def check_token(address: str) -> None:
    """Raise `InputError` unless the Ray at ``HOST:PORT`` takes the token that this process has.

    A file in which others could read the token is refused, too. Where the address is ``auto``,
    Ray itself asks.
    """
    text = _private_text()
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", address)
    if address == "auto" or _admits(address, text):
        return
    if text is None:
        rule, remedy = "the cluster asks for one", f"set {MODE}=token and name it by {TOKEN_PATH}"
    else:
        rule, remedy = "is not the cluster's", f"copy the head's token to {token_file()}"
    raise InputError.of("token", rule, address, remedy)


def _private_text() -> str | None:
    """Return the token, None where none is set; `InputError` where it is missing or not private."""
    if os.environ.get(MODE, "").lower() != "token":
        return None
    if given := os.environ.get(TOKEN):
        return given
    file = token_file()
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        text = file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise InputError.of(
            "token", f"cannot be read ({error.strerror})", file,
            f"copy the cluster's token there, or name its file by {TOKEN_PATH}",
        ) from error  # fmt: skip
    if not text:
        raise InputError.of("token", "the file is empty", file, "copy the cluster's token there")
    if mode & 0o077:
        raise InputError.of(
            "token", "must not be readable by others", f"{file} with mode {mode:04o}",
            f"chmod 600 {file}; if others may have read it, start the cluster with a new one",
        )  # fmt: skip
    return text


def refuse_open(address: str) -> None:
    """Raise `InputError` where the Ray at ``HOST:PORT`` is not on loopback and asks for no token.

    What counts is what the cluster answers somebody without a token, not what was set here.
    """
    host = address.rpartition(":")[0].strip("[]")
    if not _is_loopback(host) and is_open(address):
        raise InputError.of(
            "cluster", "must ask for a token: whoever reaches an open one runs code on it",
            address, _REMEDY,
        )  # fmt: skip


def is_open(address: str) -> bool:
    """Ask the Ray at ``HOST:PORT`` without a token; `InputError` where no Ray answers."""
    return _admits(address, None)


def _admits(address: str, token: str | None) -> bool:
    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    with grpc.insecure_channel(address) as channel:
        ask = channel.unary_unary(_HARMLESS)
        try:
            ask(b"", timeout=_PATIENCE_S, wait_for_ready=True, metadata=metadata)
        except grpc.RpcError as error:
            if error.code() in _REFUSED:
                return False
            raise InputError.of(
                "cluster", f"no Ray answers there ({error.code().name})", address,
                "correct the address, or see whether its head runs",
            ) from error  # fmt: skip
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
