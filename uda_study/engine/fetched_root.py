"""Images at an address, brought to this machine: from then on they are read as from any folder."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from uda_study.data.store import claim, key_of
from uda_study.errors import InputError, Problem, StoreError
from uda_study.remote import Remote, address_of, check_address

_THREADS = 8
_LISTING = "listing.json"

Stamps = Mapping[str, tuple[int, int]]


def local_root(root: Path | None, cache: Path) -> Path | None:
    """Return the root as a folder of this machine; one at an address is fetched into the cache.

    It is fetched once as long as its files keep names, sizes and times; of one that has changed
    only the files that did. Raises `InputError` for an address without files, or with names that
    no folder has, and `StoreError` where it does not answer.
    """
    address = None if root is None else address_of(root)
    if root is None or address is None:
        return root
    check_address(address, "data.root")
    remote = Remote(address)
    stamps = remote.stamps("")
    _check_names(address, stamps)
    place = cache / "roots" / key_of(address)[:16]
    folder = place / key_of({name: list(stamp) for name, stamp in stamps.items()})[:16]
    with claim(place.with_name(f"{place.name}.lock")):
        if not folder.is_dir():
            _fetch(remote, stamps, place, folder)
    return folder / "files"


def _check_names(address: str, stamps: Stamps) -> None:
    if not stamps:
        raise InputError.of("data.root", "holds no files", address, "check bucket and path")
    problems = [
        Problem("data.root", "holds a name that no folder can have", f"{address}/{name}")
        for name in stamps
        if any(part in ("", ".", "..") for part in name.split("/"))
    ]
    if problems:
        raise InputError(problems)


def _fetch(remote: Remote, stamps: Stamps, place: Path, folder: Path) -> None:
    draft = place / f".{uuid.uuid4().hex}"
    known = _known(place)

    def bring(item: tuple[str, tuple[int, int]]) -> None:
        name, stamp = item
        target = draft / "files" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if stamp == known.get(name, (None, None))[1]:
            os.link(known[name][0], target)
            return
        remote.download(name, target)
        if target.stat().st_size != stamp[0]:
            raise StoreError(f"{remote.address}/{name}: was changed while it was read; run again")

    try:
        draft.mkdir(parents=True)
        with ThreadPoolExecutor(_THREADS) as threads:
            for _ in threads.map(bring, stamps.items()):
                pass
        (draft / _LISTING).write_text(json.dumps(stamps))
        draft.rename(folder)
    except OSError as error:
        raise StoreError(f"cannot fetch {remote.address} into {place}: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _known(place: Path) -> dict[str, tuple[Path, tuple[int, int]]]:
    """Return the files of earlier states of the root, by name, with what they were known by."""
    found = {}
    for listing in sorted(place.glob(f"*/{_LISTING}"), key=lambda path: path.stat().st_mtime):
        for name, (size, time) in json.loads(listing.read_text()).items():
            found[name] = (listing.parent / "files" / name, (size, time))
    return found
