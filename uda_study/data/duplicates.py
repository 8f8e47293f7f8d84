"""Images that several cases share, though they should not; no label is opened for it.

Correlating small versions of two images tells little: heads look alike, and with 16 cells per axis
those of two people reach .96, where a copy with another gamma has .92. What is left of an image
after its local mean is taken away is its own: there two people stay below .7, and copies above .8
(docs/data-check.md has the table).
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from uda_study.data.prepare import PreparedCase
from uda_study.data.remarks import Remark
from uda_study.errors import Problem
from uda_study.types import Case, Role, Split

CELLS = 32
"""Cells per axis of a fingerprint; an axis of one voxel keeps one."""

SIMILAR = 0.8
"""The correlation from which on two images are near-duplicates."""

CERTAIN = 0.95
"""The same where it stops a study: images cut out by one mask share its edges, and reach .93."""

_SIGMA = 1.0
_FILE = "fingerprint.npz"
_TRAINING: tuple[Role, ...] = ("source_train", "target_adapt", "target_bound")
_TESTING: tuple[Role, ...] = ("source_val", "source_test", "target_val", "target_test")


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What an image is recognised by.

    ``sha256`` is of its voxels on the study's grid; ``detail`` ``(C, 32, 32, 32 or 1)`` is the
    small image less its local mean, scaled so that the product of two is their correlation,
    averaged over the channels.
    """

    sha256: str
    detail: NDArray[np.float32]

    @classmethod
    def of(cls, image: NDArray[np.float32]) -> Fingerprint:
        """Return the fingerprint of an image ``(C, X, Y, Z)``."""
        image = np.asarray(image)
        digest = hashlib.sha256(str(image.shape).encode())
        # Slices along Z lie together in prepared images: turned round, nothing is copied.
        digest.update(np.ascontiguousarray(image.T).data)
        detail = np.stack([_detail(_small(channel)) for channel in image])
        return cls(digest.hexdigest(), detail / np.float32(np.sqrt(len(image))))


@dataclass(frozen=True)
class Twins:
    """Two cases that show the same: voxel by voxel if ``equal``, else nearly."""

    first: Case
    second: Case
    equal: bool
    similarity: float


def fingerprint(prepared: PreparedCase) -> Fingerprint:
    """Return the fingerprint of a prepared case, kept beside its image once it was computed."""
    path = prepared.folder / _FILE
    channels = len(prepared.case.images)
    cells = tuple(CELLS if count > 1 else 1 for count in prepared.grid.shape)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            known = Fingerprint(str(stored["sha256"]), stored["detail"])
        if known.detail.shape == (channels, *cells):
            return known
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        pass  # not there yet, or damaged: it is made anew
    made = Fingerprint.of(prepared.image)
    _store(path, made)
    return made


def find_twins(cases: Sequence[Case], prints: Mapping[str, Fingerprint]) -> list[Twins]:
    """Return all pairs of near-equal images of different subjects, and of equal ones of any.

    Of several equal images each is paired with the first only.
    """
    shapes: dict[tuple[int, ...], list[Case]] = {}
    for case in cases:
        shapes.setdefault(prints[case.id].detail.shape, []).append(case)
    found = []
    for members in shapes.values():
        rows = np.stack([prints[case.id].detail.ravel() for case in members])
        similar = rows @ rows.T
        repeated: set[str] = set()
        for (i, first), (j, second) in combinations(enumerate(members), 2):
            equal = prints[first.id].sha256 == prints[second.id].sha256
            near = similar[i, j] >= SIMILAR and first.subject != second.subject
            if (equal and first.id not in repeated) or (near and not equal):
                found.append(Twins(first, second, equal, float(similar[i, j])))
            if equal:
                repeated.add(second.id)
    return found


def judge_twins(twins: Iterable[Twins], splits: Sequence[Split]) -> list[Remark]:
    """Say what is wrong with each pair.

    An error is an equal image under another subject, and one that is alike by `CERTAIN` where a
    split trains on one of the two and tests on the other. All else is a warning.
    """
    remarks = []
    for pair in twins:
        # The later one is complained of: it is the one to leave out.
        first, second = pair.second, pair.first
        value = f"similarity {pair.similarity:.2f}, limit {SIMILAR}"
        remedy = "leave one out, or give both the same subject if they show one person"
        crossed = _crossed(first.id, second.id, splits)
        if first.subject == second.subject:
            rule, value = f"is the same image as that of {second.id}", "two cases of one subject"
            remedy, fatal = "leave one out", False
        elif pair.equal:
            rule = f"is the same image as that of {second.id}, another subject{crossed}"
            value, fatal = f"subjects {first.subject} and {second.subject}", True
        else:
            rule = f"nearly equals that of {second.id}, another subject{crossed}"
            fatal = bool(crossed) and pair.similarity >= CERTAIN
        problem = Problem(f"{first.id} image", rule, value, remedy)
        remarks.append(Remark((first, second), "image", problem, fatal))
    return remarks


def _crossed(first: str, second: str, splits: Sequence[Split]) -> str:
    """Return where one is trained on and the other tested on, as the end of a sentence."""
    for split in splits:
        training, testing = _ids(split, _TRAINING), _ids(split, _TESTING)
        if split.protocol == "transductive":
            # What is adapted to is tested on anyway, as every table of such a study says.
            training -= set(split.roles.get("target_adapt", ())) - _ids(
                split, ("source_train", "target_bound")
            )
        if (first in training and second in testing) or (second in training and first in testing):
            return f", and {split.direction} fold {split.fold} trains on one and tests on the other"
    return ""


def _ids(split: Split, roles: tuple[Role, ...]) -> set[str]:
    return {name for role in roles for name in split.roles.get(role, ())}


def _small(volume: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the means over the cells of a volume ``(X, Y, Z)``."""
    for axis, count in enumerate(volume.shape):
        if count > 1:
            moved = np.tensordot(_shares(count), volume, (1, axis))
            volume = np.moveaxis(moved, 0, axis)
    return volume


def _shares(count: int) -> NDArray[np.float32]:
    """Return the share of each of ``count`` voxels in each cell, ``(CELLS, count)``."""
    edges = np.linspace(0, count, CELLS + 1)
    low = np.maximum(edges[:-1, None], np.arange(count))
    high = np.minimum(edges[1:, None], np.arange(1, count + 1))
    covered = np.clip(high - low, 0, None)
    shares: NDArray[np.float32] = (covered / covered.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def _detail(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what differs from the local mean, with length 1; zeros where nothing does."""
    sigma = [_SIGMA if count > 1 else 0 for count in small.shape]
    smooth: NDArray[np.float32] = ndimage.gaussian_filter(small, sigma, mode="nearest")
    detail = small - smooth
    detail -= detail.mean()
    length = np.float32(np.linalg.norm(detail))
    return detail / length if length > 0 else detail


def _store(path: Path, made: Fingerprint) -> None:
    """Put the file into its place whole; where the cache cannot be written to, leave it."""
    scratch = path.with_name(f".{uuid.uuid4().hex}.npz")
    try:
        np.savez(scratch, sha256=made.sha256, detail=made.detail)
        os.replace(scratch, path)
    except OSError:
        scratch.unlink(missing_ok=True)
