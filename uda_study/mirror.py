"""A second copy of a home's folders, where every machine of a cluster reaches it.

A folder at the address is a manifest and the files that it names, each stored under its name and
the beginning of its checksum::

    studies/x/trials/k/result.json.0f3a62c41b9d77e2
    studies/x/trials/k/.manifest.json     written last: without it, the folder is not there

So what replaces a file never touches the one before, and whoever reads a manifest finds all of what
it names, also while the next one is written: what was replaced goes when it is replaced once more.
A single file is stored under its own name.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from uda_study.errors import StoreError
from uda_study.remote import Remote

MANIFEST = ".manifest.json"
LEFT_OUT = frozenset({"checkpoints"})
"""Folders that are copied by themselves, not with the one they lie in."""
_ATTEMPTS = 3

Entry = tuple[str, int]
"""A file's SHA-256 and its size in bytes."""


@dataclass(frozen=True)
class _Manifest:
    """The files of a folder, and the stored names of those that they replaced."""

    entries: Mapping[str, Entry]
    replaced: frozenset[str] = frozenset()

    @property
    def stored(self) -> frozenset[str]:
        return frozenset(_stored(name, entry) for name, entry in self.entries.items())

    def to_json(self) -> bytes:
        files = {name: {"sha256": sha, "bytes": size} for name, (sha, size) in self.entries.items()}
        content = {"files": files, "replaced": sorted(self.replaced)}
        return json.dumps(content, indent=1, sort_keys=True).encode()


@dataclass(frozen=True)
class Mirror:
    """Keeps files and folders of a home at an address such as ``s3://bucket/prefix``.

    Without an address all machines share the home itself, and every call does nothing. All calls
    raise `StoreError` where the address does not answer, or holds something else than was written.
    """

    home: Path
    address: str | None = None

    def push(self, path: Path, *, replace: bool = True) -> None:
        """Copy a file or folder of the home to the address; it appears there whole.

        Only files that are not there are sent. What is hidden (``.name``), a link or `LEFT_OUT`
        stays here. Without ``replace`` a folder that is there stays as it is. What it
        replaces is kept for who reads it now, and removed when the folder is replaced once more.
        """
        if self.address is None:
            return
        remote, key = Remote(self.address), self._key(path)
        if not path.is_dir():
            content = path.read_bytes()
            if remote.size(key) != len(content) or remote.read(key) != content:
                remote.write(key, content)
            return
        known = self._manifest(remote, key)
        if known is not None and not replace:
            return
        entries, before = _entries(path), known or _Manifest({})
        if known is not None and known.entries == entries:
            return
        for name, entry in entries.items():
            if before.entries.get(name) != entry:
                remote.upload(f"{key}/{_stored(name, entry)}", path / name)
        replaced = before.stored - _Manifest(entries).stored
        now = _Manifest(entries, replaced)
        remote.write(f"{key}/{MANIFEST}", now.to_json())
        for name in sorted(before.replaced - now.stored - now.replaced):
            remote.delete(f"{key}/{name}")

    def pull(self, path: Path) -> None:
        """Fetch a file or folder of the home that is not here; pass over one that is nowhere.

        What is here and differs is replaced whole; `LEFT_OUT` folders in it stay.
        """
        if self.address is None:
            return
        remote, key = Remote(self.address), self._key(path)
        known = self._manifest(remote, key)
        if known is None:
            content = remote.read(key)
            if content is not None:
                _install_file(path, content)
            return
        for _ in range(_ATTEMPTS):
            if known is None or _entries(path) == known.entries:
                return
            try:
                self._fetch(remote, key, known.entries, path)
            except FileNotFoundError:
                # Dropped while we read it, or damaged: the manifest tells.
                known = self._manifest(remote, key)
            else:
                return
        raise StoreError(
            f"{self.address}/{key}: files that its manifest names are missing; remove the folder "
            "there, it is then made again"
        )

    def drop(self, path: Path) -> None:
        """Remove the copy of a file or folder of the home, with all that is below it."""
        if self.address is None:
            return
        remote, key = Remote(self.address), self._key(path)
        remote.delete(f"{key}/{MANIFEST}")
        remote.delete_folder(key)
        remote.delete(key)

    def has(self, path: Path) -> bool:
        """Tell whether a folder of the home is at the address, whole."""
        if self.address is None:
            return False
        return Remote(self.address).size(f"{self._key(path)}/{MANIFEST}") is not None

    def read(self, path: Path) -> bytes | None:
        """Return the content of a single file at the address; None without one."""
        return None if self.address is None else Remote(self.address).read(self._key(path))

    def write(self, path: Path, content: bytes) -> None:
        """Store the content of a single file at the address, whatever lies here."""
        if self.address is not None:
            Remote(self.address).write(self._key(path), content)

    def size(self, path: Path) -> int | None:
        """Return the size in bytes of a single file at the address; None without one."""
        return None if self.address is None else Remote(self.address).size(self._key(path))

    def names(self, path: Path) -> list[str]:
        """Return what lies right below a folder at the address, whole or not."""
        return [] if self.address is None else Remote(self.address).names(self._key(path))

    def _key(self, path: Path) -> str:
        return path.relative_to(self.home).as_posix()

    def _manifest(self, remote: Remote, key: str) -> _Manifest | None:
        text = remote.read(f"{key}/{MANIFEST}")
        if text is None:
            return None
        try:
            found = json.loads(text)
            files = found["files"].items()
            return _Manifest(
                {_inside(name): (str(one["sha256"]), int(one["bytes"])) for name, one in files},
                frozenset(_inside(name) for name in found.get("replaced", ())),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(
                f"{self.address}/{key}: its manifest is damaged; remove the folder there, it is "
                "then made again"
            ) from error

    def _fetch(self, remote: Remote, key: str, entries: Mapping[str, Entry], path: Path) -> None:
        draft = path.with_name(f".{path.name[:40]}-{uuid.uuid4().hex}")
        try:
            draft.mkdir(parents=True)
            for name, entry in entries.items():
                target = draft / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if _entry(path / name) == entry:
                    _link(path / name, target)
                    continue
                remote.download(f"{key}/{_stored(name, entry)}", target)
                if _entry(target) != entry:
                    raise StoreError(
                        f"{self.address}/{key}/{name}: its content is not what its manifest says; "
                        "remove the folder there, it is then made again"
                    )
            _install_folder(draft, path, lambda: _entries(path) == entries)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _entries(folder: Path) -> dict[str, Entry]:
    """Return the files of a folder that are copied with it."""
    found = {}
    for file in _files(folder, folder):
        entry = _entry(file)
        if entry is not None:
            found[file.relative_to(folder).as_posix()] = entry
    return found


def _files(folder: Path, top: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            if not (folder == top and path.name in LEFT_OUT):
                yield from _files(path, top)
        elif path.is_file():
            yield path


def _entry(file: Path) -> Entry | None:
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return digest, os.fstat(stream.fileno()).st_size
    except OSError:
        return None


def _stored(name: str, entry: Entry) -> str:
    return f"{name}.{entry[0][:16]}"


def _inside(name: str) -> str:
    """Return a name of a manifest; `ValueError` for one that would lie outside its folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or any(p.startswith(".") for p in path.parts):
        raise ValueError(name)
    return name


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _install_file(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name[:40]}-{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {error.strerror}") from error


def _install_folder(draft: Path, path: Path, is_there: Callable[[], bool]) -> None:
    """Move a whole folder into its place; the one before goes, but for what was never copied."""
    while True:
        aside = path.with_name(f".{path.name[:40]}-{uuid.uuid4().hex}")
        try:
            path.rename(aside)
        except FileNotFoundError:
            pass
        else:
            for name in LEFT_OUT:
                if (aside / name).is_dir() and not (draft / name).exists():
                    (aside / name).rename(draft / name)
        try:
            draft.rename(path)
        except OSError:
            # Another process of this machine was faster with the same folder.
            if not is_there():
                continue
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return
