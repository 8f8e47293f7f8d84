"""Turn cases into arrays on the study's grid, once, in a content-addressed cache.

    cache/images/<key>/   image.npy (C, X, Y, Z) float32, mask.npy (X, Y, Z) bool, grid.json
    cache/labels/<key>/   label.npy (X, Y, Z) uint8 on the study's grid, native.npy on the native
    cache/contents/       remembered checksums of unchanged files

Threads and processes that want the same missing entry wait for the one that makes it; the time of a
folder is when it was used last (`uda_study.data.prune`).

Only `uda_study.data.labels` opens the second tree.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from uda_study.data.arrays import IGNORED, CaseArrays
from uda_study.data.grid import Grid
from uda_study.data.limits import existing_file
from uda_study.data.store import (
    claim,
    content_sha256,
    install,
    is_whole,
    key_of,
    open_array,
    write_array,
)
from uda_study.dataset import Preprocessing
from uda_study.errors import InputError, Problem
from uda_study.types import Case

CODE_VERSION = 3
"""Raised whenever the same files would give other arrays."""

_MOST_THREADS = 4
_MAX_CLASSES = IGNORED


@dataclass(frozen=True)
class PreparedCase:
    """One case on the study's grid; its labels are behind `uda_study.data.labels.LabelReader`.

    ``sha256`` identifies the image's content and preprocessing, the name of ``label_folder`` the
    label's as well.
    """

    case: Case
    folder: Path
    grid: Grid
    sha256: str
    label_folder: Path | None

    @property
    def image(self) -> NDArray[np.float32]:
        """The normalised image (C, X, Y, Z), mapped read-only; slices along Z are contiguous."""
        return cast(NDArray[np.float32], open_array(self.folder / "image.npy"))

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The mask (X, Y, Z): the given one, else `uda_study.data.intensity.foreground`."""
        return cast(NDArray[np.bool_], open_array(self.folder / "mask.npy"))


def prepare(
    cases: Sequence[Case],
    preprocessing: Preprocessing,
    cache: Path,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, PreparedCase]:
    """Return the prepared cases by id; only what is not in the cache yet is computed.

    Images are resampled linearly (`uda_study.data.grid`), then normalised inside the mask; label
    values that ``preprocessing.labels`` does not name become background. Raises one `InputError`
    with the problems of all bad cases. ``progress`` gets the cases done and all cases.
    """
    problems = problems_of_all(cases, preprocessing)
    prepared: dict[str, PreparedCase] = {}
    # Reading, decompressing and resampling leave the interpreter to the other threads.
    with ThreadPoolExecutor(_threads()) as threads:
        waiting = [threads.submit(_prepare_one, case, preprocessing, cache) for case in cases]
        try:
            for done, (case, result) in enumerate(zip(cases, waiting, strict=True), 1):
                try:
                    prepared[case.id] = result.result()
                except InputError as error:
                    problems.extend(error.problems)
                if progress is not None:
                    progress(done, len(cases))
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    if problems:
        raise InputError(problems)
    return prepared


def _threads() -> int:
    """Return how many cases are prepared at once; each may hold a few times its image's size."""
    return min(_MOST_THREADS, len(os.sched_getaffinity(0)))


def problems_of_all(cases: Sequence[Case], preprocessing: Preprocessing) -> list[Problem]:
    """Return what is wrong with the cases as a whole and with the preset, before any is read."""
    problems = [
        Problem(f"{name} case", "ids must be unique", f"{count} times", "rename one")
        for name, count in Counter(case.id for case in cases).items()
        if count > 1
    ]
    channels = Counter(len(case.images) for case in cases)
    if len(channels) > 1:
        usual = channels.most_common(1)[0][0]
        problems.extend(
            Problem(
                f"{case.id} image",
                f"must have {usual} channels as the others",
                str(len(case.images)),
            )
            for case in cases
            if len(case.images) != usual
        )
    for domain in sorted({case.domain for case in cases}):
        labels = preprocessing.of(domain).labels
        values = Counter(value for named in labels.values() for value in named)
        problems.extend(
            Problem("data.labels", "a value belongs to one structure", str(value), "name it once")
            for value, count in values.items()
            if count > 1
        )
        problems.extend(
            Problem(f"data.domains.{domain}.labels", "structures have to be in data.labels", n)
            for n in labels
            if n not in preprocessing.labels
        )
    if len(preprocessing.class_names) > _MAX_CLASSES:
        problems.append(Problem("data.labels", f"at most {_MAX_CLASSES - 1} structures"))
    return problems


def _prepare_one(case: Case, preprocessing: Preprocessing, cache: Path) -> PreparedCase:
    preprocessing = preprocessing.of(case.domain)
    sha256 = key_of(
        {
            "version": CODE_VERSION,
            "images": [_checksum(case, path, "image", cache) for path in case.images],
            "mask": None if case.mask is None else _checksum(case, case.mask, "mask", cache),
            "preprocessing": preprocessing.model_dump(mode="json"),
            "classes": list(preprocessing.labels),  # their order, which sorted keys would hide
        }
    )
    place = _Place(
        folder=cache / "images" / sha256,
        label_folder=_label_folder(case, sha256, cache),
        channels=len(case.images),
    )
    grid = place.stored()
    if grid is None:
        with claim(cache / "locks" / sha256):
            grid = place.stored() or place.fill(CaseArrays(case, preprocessing))
    place.used()
    return PreparedCase(case, place.folder, grid, sha256, place.label_folder)


def _label_folder(case: Case, sha256: str, cache: Path) -> Path | None:
    if case.label is None:
        return None
    checksums = [_checksum(case, file, "label", cache) for file in case.labels]
    return cache / "labels" / key_of([sha256, *checksums])


def _checksum(case: Case, path: Path, what: str, cache: Path) -> str:
    where = f"{case.id} {what}"
    existing_file(path, where)
    return content_sha256(path, where, cache / "contents")


@dataclass(frozen=True)
class _Place:
    """Where a case's arrays lie, and whether they are there."""

    folder: Path
    label_folder: Path | None
    channels: int

    def stored(self) -> Grid | None:
        """Return the grid of a case that is there whole, None where something is missing."""
        grid = self._stored_image()
        return grid if grid is not None and self._stored_label(grid) else None

    def fill(self, arrays: CaseArrays) -> Grid:
        """Compute what is missing; all before any is written: bad cases leave none."""
        found = self._stored_image()
        grid = found or arrays.grid
        image = arrays.image_parts() if found is None else {}
        label = {} if self._stored_label(grid) else arrays.label_parts()
        if label and self.label_folder is not None:
            install(
                self.label_folder,
                lambda: self._stored_label(grid),
                lambda scratch: _write_parts(scratch, label),
            )
        if image:

            def write(scratch: Path) -> None:
                _write_parts(scratch, image)
                (scratch / "grid.json").write_text(grid.to_json())

            install(self.folder, lambda: self._stored_image() is not None, write)
        return grid

    def used(self) -> None:
        """Note the time of use; a cache that cannot be written to is used all the same."""
        for folder in (self.folder, self.label_folder):
            if folder is not None:
                with suppress(OSError):
                    os.utime(folder)

    def _stored_image(self) -> Grid | None:
        try:
            grid = Grid.from_json((self.folder / "grid.json").read_text())
        except (OSError, ValueError, KeyError, TypeError):
            return None
        whole = is_whole(self.folder / "image.npy", (self.channels, *grid.shape), np.float32)
        return grid if whole and is_whole(self.folder / "mask.npy", grid.shape, np.bool_) else None

    def _stored_label(self, grid: Grid) -> bool:
        folder = self.label_folder
        return folder is None or (
            is_whole(folder / "label.npy", grid.shape, np.uint8)
            and is_whole(folder / "native.npy", grid.native_shape, np.uint8)
        )


def _write_parts(folder: Path, parts: Mapping[str, NDArray[Any]]) -> None:
    for name, array in parts.items():
        write_array(folder / f"{name}.npy", array)
