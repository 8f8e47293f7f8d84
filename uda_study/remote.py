"""Files at an address such as ``s3://bucket/prefix``: read, written and listed through pyarrow."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from uda_study.errors import InputError, StoreError

SCHEMES = ("s3", "gs", "gcs", "file", "hdfs", "abfs", "abfss")
PAUSES_S = (1.0, 4.0, 15.0)
"""Between our own attempts; pyarrow's client of S3 has tried each of them three times by then."""
_CHUNK = 8 * 2**20
_BUCKETS = ("s3", "gs", "gcs")
# An object appears in these when its last byte has arrived; elsewhere it grows in sight.
_FOR_GOOD = re.compile(
    r"ACCESS_DENIED|NO_SUCH_BUCKET|INVALID_ACCESS_KEY|INVALID_CLIENT_TOKEN|SIGNATURE_DOES_NOT"
    r"|EXPIRED_TOKEN|TOKEN_EXPIRED|MISSING_AUTHENTICATION|UNRECOGNIZED_CLIENT|HTTP status 40[013]"
)
_REMEDY = (
    "check the address, the bucket, and that the credentials of this machine's environment may "
    "list it and get, put and delete objects there"
)
T = TypeVar("T")


@dataclass(frozen=True)
class Remote:
    """What lies below an address, by keys such as ``studies/x/journal.jsonl``.

    A file is there whole or not at all. What fails for a moment is tried again after `PAUSES_S`;
    what fails for good raises `StoreError` with the address and what to do.
    """

    address: str

    def __post_init__(self) -> None:
        check_address(self.address, "UDA_STUDY_STORAGE")

    def read(self, key: str) -> bytes | None:
        """Return a file's content; None where there is none."""

        def attempt() -> bytes | None:
            files, path = self._at(key)
            try:
                with files.open_input_file(path) as stream:
                    return bytes(stream.read())
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError:
                if not self._in_buckets and _is(files, path, "Directory"):
                    return None
                raise

        return self._tried(key, attempt)

    def size(self, key: str) -> int | None:
        """Return a file's size in bytes; None where there is none."""

        def attempt() -> int | None:
            files, path = self._at(key)
            (info,) = files.get_file_info([path])
            return info.size if info.is_file else None

        return self._tried(key, attempt)

    def write(self, key: str, content: bytes) -> None:
        """Write a file."""
        self._put(key, lambda stream: stream.write(content))

    def upload(self, key: str, file: Path) -> None:
        """Write a file from one of this machine, a part at a time."""

        def fill(stream: Any) -> None:
            with file.open("rb") as source:
                while part := source.read(_CHUNK):
                    stream.write(part)

        self._put(key, fill)

    def download(self, key: str, file: Path) -> None:
        """Fetch a file into one of this machine; `FileNotFoundError` where there is none."""

        def attempt() -> None:
            files, path = self._at(key)
            with files.open_input_file(path) as source, file.open("wb") as target:
                while part := source.read(_CHUNK):
                    target.write(part)

        self._tried(key, attempt, passed=FileNotFoundError)

    def names(self, key: str) -> list[str]:
        """Return the names right below a folder, sorted; none where it is not there."""
        return sorted({info.base_name for info in self._below(key, recursive=False)})

    def stamps(self, key: str) -> dict[str, tuple[int, int]]:
        """Return the files anywhere below a folder: bytes, and when each was written, in ns."""
        _, path = self._at(key)
        return {
            info.path.removeprefix(f"{path}/"): (info.size or 0, info.mtime_ns or 0)
            for info in self._below(key, recursive=True)
            if info.is_file
        }

    def delete(self, key: str) -> None:
        """Remove a file; one that is not there is passed over."""

        def attempt() -> None:
            files, path = self._at(key)
            with suppress(FileNotFoundError, NotADirectoryError):
                files.delete_file(path)

        self._tried(key, attempt)

    def delete_folder(self, key: str) -> None:
        """Remove everything below a folder; what is none, or not there, is passed over."""

        def attempt() -> None:
            files, path = self._at(key)
            try:
                files.delete_dir(path)
            except (FileNotFoundError, NotADirectoryError):
                pass
            except OSError:
                if not _is(files, path, "File"):
                    raise

        self._tried(key, attempt)

    @property
    def _in_buckets(self) -> bool:
        return urlsplit(self.address).scheme in _BUCKETS

    def _put(self, key: str, fill: Callable[[Any], object]) -> None:
        direct = self._in_buckets

        def attempt() -> None:
            files, path = self._at(key)
            # Two machines may write the same file at the same time.
            draft = path if direct else f"{path}.{os.getpid()}-{time.monotonic_ns()}.draft"
            if not direct:
                files.create_dir(path.rpartition("/")[0], recursive=True)
            with files.open_output_stream(draft) as stream:
                fill(stream)
            if not direct:
                files.move(draft, path)

        self._tried(key, attempt)

    def _below(self, key: str, recursive: bool) -> list[Any]:
        # It takes long to import, and most homes have no address.
        from pyarrow.fs import FileSelector  # type: ignore[import-untyped]  # noqa: PLC0415

        def attempt() -> list[Any]:
            files, path = self._at(key)
            wanted = FileSelector(path, allow_not_found=True, recursive=recursive)
            return list(files.get_file_info(wanted))

        return self._tried(key, attempt)

    def _at(self, key: str) -> tuple[Any, str]:
        files, root = _opened(self.address, _endpoint())
        return files, f"{root}/{key}" if key else root

    def _tried(
        self, key: str, attempt: Callable[[], T], passed: type[BaseException] | tuple[()] = ()
    ) -> T:
        """Return what the attempt returns; ``passed`` errors go to the caller as they are."""
        for pause in (*PAUSES_S, None):
            try:
                return attempt()
            except passed:
                raise
            except (OSError, ValueError, NotImplementedError, ImportError) as error:
                # pyarrow gives a number only to what the operating system has refused.
                certain = not isinstance(error, OSError) or error.errno is not None
                if pause is None or certain or _FOR_GOOD.search(str(error)):
                    raise StoreError(f"{self._said(key)}: {_why(error)}; {_REMEDY}") from error
                time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _said(self, key: str) -> str:
        return f"{self.address.rstrip('/')}/{key}"


def check_address(address: str, where: str) -> None:
    """Raise `InputError` for what is no address, or one that holds credentials."""
    parts = urlsplit(address)
    hidden = f"{parts.scheme}://…"
    if parts.username or parts.password or parts.query or parts.fragment:
        # It would be shown in messages and lists of processes.
        raise InputError.of(
            where,
            "must hold neither credentials nor options",
            hidden,
            "give them by AWS's own environment or configuration files",
        )
    in_file = parts.path.startswith("/") and not parts.netloc
    is_whole = in_file if parts.scheme == "file" else bool(parts.netloc)
    if parts.scheme not in SCHEMES or not is_whole or ".." in parts.path.split("/"):
        raise InputError.of(
            where, "must be an address such as s3://bucket/prefix or file:///folder", repr(address)
        )


def address_of(path: Path) -> str | None:
    """Return the address that a path was made from, which halves its slashes; None for a path."""
    scheme, colon, rest = str(path).partition(":/")
    return f"{scheme}://{rest.lstrip('/')}" if colon and scheme in _BUCKETS else None


def _endpoint() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


@cache
def _opened(address: str, endpoint: str | None) -> tuple[Any, str]:
    """Return the file system of an address, and the address as a path in it."""
    from pyarrow import fs  # type: ignore[import-untyped]  # noqa: PLC0415

    parts = urlsplit(address.rstrip("/"))
    if parts.scheme != "s3":
        files, path = fs.FileSystem.from_uri(address)
        return files, path.rstrip("/")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    at: dict[str, str] = {}
    if endpoint is not None:
        place = urlsplit(endpoint)
        at = {"endpoint_override": place.netloc + place.path, "scheme": place.scheme or "https"}
    elif region is None:
        with suppress(OSError):
            region = fs.resolve_s3_region(parts.netloc)
    # Small files go in one request instead of three.
    client = fs.S3FileSystem(region=region, allow_delayed_open=True, **at)
    return client, f"{parts.netloc}{parts.path}"


def _is(files: Any, path: str, kind: str) -> bool:
    """Tell whether it is of another kind than was asked for, which pyarrow has no error for."""
    return bool(files.get_file_info(path).type.name == kind)


def _why(error: Exception) -> str:
    """Return what went wrong by AWS's name for it, where it has one."""
    named = re.search(r"AWS Error (\w+)(?:.*?\(HTTP status (\d+)\))?", str(error))
    if named is None:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return f"AWS says {named[1]}"
