"""Turn cases into arrays on the study's grid, once, in a content-addressed cache.

    cache/images/<key>/   image.npy (C, X, Y, Z) float32, mask.npy (X, Y, Z) bool, grid.json
    cache/labels/<key>/   label.npy (X, Y, Z) uint8 on the study's grid, native.npy on the native
    cache/contents/       remembered checksums of unchanged files

Only `uda_study.data.labels` opens the second tree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from uda_study.data.arrays import IGNORED, CaseArrays
from uda_study.data.grid import Grid
from uda_study.data.limits import existing_file
from uda_study.data.store import content_sha256, install, is_whole, key_of, open_array, write_array
from uda_study.dataset import Preprocessing
from uda_study.errors import InputError, Problem
from uda_study.types import Case

CODE_VERSION = 3
"""Raised whenever the same files would give other arrays."""

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
    problems = _problems_of_all(cases, preprocessing)
    prepared: dict[str, PreparedCase] = {}
    for done, case in enumerate(cases, 1):
        try:
            prepared[case.id] = _prepare_one(case, preprocessing, cache)
        except InputError as error:
            problems.extend(error.problems)
        if progress is not None:
            progress(done, len(cases))
    if problems:
        raise InputError(problems)
    return prepared


def _problems_of_all(cases: Sequence[Case], preprocessing: Preprocessing) -> list[Problem]:
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
    folder = cache / "images" / sha256
    arrays = CaseArrays(case, preprocessing)
    stored = _stored_grid(folder, len(case.images))
    grid = stored or arrays.grid
    label_folder = None
    # Both parts are computed before either is written: a bad case leaves nothing behind.
    image_parts = arrays.image_parts() if stored is None else {}
    if case.label is not None:
        checksums = [_checksum(case, file, "label", cache) for file in case.labels]
        label_folder = cache / "labels" / key_of([sha256, *checksums])
        if not _label_is_whole(label_folder, grid):
            _install_label(label_folder, grid, arrays.label_parts())
    if stored is None:
        _install_image(folder, grid, len(case.images), image_parts)
    return PreparedCase(case, folder, grid, sha256, label_folder)


def _checksum(case: Case, path: Path, what: str, cache: Path) -> str:
    where = f"{case.id} {what}"
    existing_file(path, where)
    return content_sha256(path, where, cache / "contents")


def _stored_grid(folder: Path, channels: int) -> Grid | None:
    """Return the grid of a whole entry, None where there is none."""
    try:
        grid = Grid.from_json((folder / "grid.json").read_text())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = is_whole(folder / "image.npy", (channels, *grid.shape), np.float32)
    return grid if whole and is_whole(folder / "mask.npy", grid.shape, np.bool_) else None


def _label_is_whole(folder: Path, grid: Grid) -> bool:
    return is_whole(folder / "label.npy", grid.shape, np.uint8) and is_whole(
        folder / "native.npy", grid.native_shape, np.uint8
    )


def _install_image(
    folder: Path, grid: Grid, channels: int, parts: Mapping[str, NDArray[Any]]
) -> None:
    def write(scratch: Path) -> None:
        _write_parts(scratch, parts)
        (scratch / "grid.json").write_text(grid.to_json())

    install(folder, lambda: _stored_grid(folder, channels) is not None, write)


def _install_label(folder: Path, grid: Grid, parts: Mapping[str, NDArray[Any]]) -> None:
    install(
        folder, lambda: _label_is_whole(folder, grid), lambda scratch: _write_parts(scratch, parts)
    )


def _write_parts(folder: Path, parts: Mapping[str, NDArray[Any]]) -> None:
    for name, array in parts.items():
        write_array(folder / f"{name}.npy", array)
