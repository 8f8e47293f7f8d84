"""What is read off one case: its files, its grid, its intensities, its structures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from uda_study.data.arrays import CaseArrays
from uda_study.data.duplicates import Fingerprint
from uda_study.data.intensity import foreground
from uda_study.data.read import Image, read_image, read_label
from uda_study.data.remarks import Remark, warning
from uda_study.dataset import Preprocessing
from uda_study.errors import InputError
from uda_study.types import Case

PERCENTILES = (1, 5, 50, 95, 99)
"""The percentiles inside the mask that are shown."""

MOST_VOXELS = 1 << 18
"""Voxels per channel that histograms and divergences are computed from."""

_LARGEST_SIDE = 256
_CONTENT = ("image", "label", "mask")


@dataclass(frozen=True, eq=False)
class Glance:
    """A slice of the study's grid ``(X, Y)`` with its classes, thinned out where it is large.

    ``spacing`` is in mm; ``axes`` says towards which side of the patient each index grows.
    """

    image: NDArray[np.float32]
    label: NDArray[np.uint8] | None
    spacing: tuple[float, float]
    axes: tuple[str, str]


@dataclass(eq=False)
class CaseFacts:
    """All that is known of one case; what could not be read stays empty and has a remark.

    ``spacing`` is in mm and ``shape`` in voxels, of the file; ``percentiles`` has one row per
    channel, of the file's own values inside the mask; ``native`` and ``prepared`` hold a sample of
    the voxels inside the mask ``(V,)`` per channel, before and after preprocessing. ``values``
    counts the voxels of each label value, of which no structure has the ``unnamed`` ones;
    ``volumes`` is in ml.
    """

    case: Case
    shape: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    orientation: str = ""
    percentiles: list[tuple[float, ...]] = field(default_factory=list)
    native: list[NDArray[np.float32]] = field(default_factory=list)
    prepared: list[NDArray[np.float32]] = field(default_factory=list)
    values: Mapping[int, int] = field(default_factory=dict)
    unnamed: frozenset[int] = frozenset()
    volumes: Mapping[str, float] = field(default_factory=dict)
    fingerprint: Fingerprint | None = None
    glance: Glance | None = None
    remarks: list[Remark] = field(default_factory=list)


def examine(case: Case, preprocessing: Preprocessing) -> CaseFacts:
    """Read all files of a case and return what they hold; what is wrong becomes a remark.

    ``preprocessing`` is that of the case's domain.
    """
    facts = CaseFacts(case)
    arrays = CaseArrays(case, preprocessing)
    with _noting(facts):
        channels = arrays.channels
        _of_grid(facts, channels[0])
        if preprocessing.nonfinite == "zero":
            _note_nonfinite(facts)
        image = mask = label = None
        with _noting(facts):
            _of_native(facts, channels)
        with _noting(facts):
            parts = arrays.image_parts()
            image, mask = parts["image"], parts["mask"]
            facts.prepared = [_sample(channel[mask]) for channel in image]
            facts.fingerprint = Fingerprint.of(image)
        if case.label is not None:
            with _noting(facts):
                facts.values = _values(case, channels[0])
                classes = arrays.label_parts()
                label = classes["label"]
                facts.volumes = _volumes(classes["native"], channels[0], preprocessing)
                known = {value for named in preprocessing.labels.values() for value in named}
                facts.unnamed = frozenset(facts.values) - known - {*preprocessing.ignore, 0}
        if image is not None:
            facts.glance = _glance(image[0], label, arrays.grid.affine)
    return facts


@contextmanager
def _noting(facts: CaseFacts) -> Iterator[None]:
    """Turn problems into remarks, each once: several readers may meet the same one."""
    try:
        yield
    except InputError as error:
        known = [remark.problem for remark in facts.remarks]
        for problem in error.problems:
            if problem not in known:
                words = problem.where.split()
                what = next((word for word in words[::-1] if word in _CONTENT), "case")
                facts.remarks.append(Remark((facts.case,), what, problem, True))


def _of_grid(facts: CaseFacts, image: Image) -> None:
    facts.shape = image.array.shape
    facts.spacing = tuple(float(edge) for edge in np.linalg.norm(image.affine[:3, :3], axis=0))
    facts.orientation = "".join(nib.aff2axcodes(image.affine))


def _of_native(facts: CaseFacts, channels: list[Image]) -> None:
    case = facts.case
    if case.mask is not None:
        mask = read_label(case.mask, case.id, channels[0], "mask") > 0
    else:
        mask = np.logical_or.reduce([foreground(image.array) for image in channels])
    if mask.any():  # an empty one is refused where the case is prepared
        inside = [image.array[mask] for image in channels]
        facts.percentiles = [
            tuple(float(value) for value in np.percentile(part, PERCENTILES)) for part in inside
        ]
        facts.native = [_sample(part) for part in inside]


def _note_nonfinite(facts: CaseFacts) -> None:
    """Warn of voxels that were admitted as 0: read strictly, the same file is refused for them."""
    for path in facts.case.images:
        try:
            read_image(path, facts.case.id)
        except InputError as error:
            rule = "has non-finite voxels, which are read as 0"
            facts.remarks.append(warning(facts.case, "image", rule, error.problems[0].value))


def _values(case: Case, image: Image) -> dict[int, int]:
    """Return how many voxels have each value; of several masks, how many each of them holds."""
    if len(case.labels) > 1:
        masks = [read_label(file, case.id, image) > 0 for file in case.labels]
        return {number: int(mask.sum()) for number, mask in enumerate(masks, 1)}
    values = read_label(case.labels[0], case.id, image)
    counts = np.zeros(int(values.max()) + 1, np.int64)
    for plane in np.moveaxis(values, -1, 0):
        counts += np.bincount(plane.ravel(), minlength=len(counts))
    return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}


def _volumes(
    native: NDArray[np.uint8], image: Image, preprocessing: Preprocessing
) -> dict[str, float]:
    voxel = abs(float(np.linalg.det(image.affine[:3, :3]))) / 1000
    counts = np.bincount(native.ravel(), minlength=256)
    return {name: float(counts[k]) * voxel for k, name in enumerate(preprocessing.labels, 1)}


def _glance(image: NDArray[np.float32], label: NDArray[np.uint8] | None, affine: object) -> Glance:
    """Return the slice on which the structures are largest, else the middle one."""
    index = image.shape[2] // 2
    if label is not None:
        index = int((label > 0).sum(axis=(0, 1)).argmax())
    step = -(-max(image.shape[:2]) // _LARGEST_SIDE)
    matrix = np.asarray(affine)
    first, second, _ = nib.aff2axcodes(matrix)
    spacing = np.linalg.norm(matrix[:3, :2], axis=0) * step
    return Glance(
        np.array(image[::step, ::step, index]),
        None if label is None else np.array(label[::step, ::step, index]),
        (float(spacing[0]), float(spacing[1])),
        (str(first), str(second)),
    )


def _sample(inside: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the voxels, or as many of them as are kept, drawn alike for every case."""
    if inside.size <= MOST_VOXELS:
        return inside
    chosen = np.random.default_rng(0).choice(inside.size, MOST_VOXELS, replace=False)
    return inside[chosen]
