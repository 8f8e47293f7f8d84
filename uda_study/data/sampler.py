"""Draw training batches; every sample depends on its own numbers alone.

Sample i of draw ``index`` of a stage is a function of (seed, stage, index, i): several ranks
together draw what one process would, and a resumed training draws what it would have drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uda_study.data.augmentation import Kind
from uda_study.data.labels import LabelReader
from uda_study.data.patches import centred_start, cut_input, cut_label, start_around
from uda_study.data.prepare import PreparedCase
from uda_study.errors import InputError
from uda_study.method import Batch
from uda_study.types import Task

if TYPE_CHECKING:
    from uda_study.data.augmentation_draw import Augmenter

# A case keeps at most this many voxels of a kind to centre patches on, spread evenly over them.
_MAX_CENTRES = 20_000
# Every mapped array holds a file descriptor, and a process has about a thousand.
_MAX_OPEN = 128

Sampling = Literal["uniform", "balanced"]


def in_channels(prepared: PreparedCase, adjacent_slices: int) -> int:
    """Return how many channels a network sees of a case: its own times the stacked slices."""
    return int(prepared.image.shape[0]) * adjacent_slices


class Sampler:
    """Draws batches of source and target patches.

    2D patches lie at a random position in a slice whose mask is not empty, 3D patches at a random
    position. ``balanced`` centres patches on voxels instead: where labels are read, half of them on
    a structure and half on the rest of the mask; elsewhere anywhere inside the mask. An image that
    is smaller than the patch is padded with its minimum. ``source`` or ``target`` may be empty;
    their tensors then hold no samples. ``augmentation`` changes images and labels of the source.
    """

    def __init__(
        self,
        task: Task,
        source: Sequence[PreparedCase],
        target: Sequence[PreparedCase],
        labels: LabelReader,
        target_labels: bool,
        sampling: Sampling,
        adjacent_slices: int,
        seed: int,
        augmentation: Sequence[Kind] = (),
    ) -> None:
        view = _View(task, sampling == "balanced", adjacent_slices)
        self._source = _Side(f"{seed}/source", source, labels, view, augmentation)
        self._target = _Side(f"{seed}/target", target, labels if target_labels else None, view)

    def draw(
        self, stage: str, index: int, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> Batch:
        """Return this rank's samples ``rank, rank + world_size, …`` of the batch.

        Images ``(n, C, *S)`` float32, labels ``(n, *S)`` int64, n = batch_size / world_size.
        Raises `InputError` where the batch cannot be shared out evenly.
        """
        if batch_size % world_size:
            raise InputError.of(
                "batch_size",
                f"must be a multiple of the {world_size} workers",
                batch_size,
                "change batch_size or resources.num_workers",
            )
        keys = [f"{stage}/{index}/{number}" for number in range(rank, batch_size, world_size)]
        source_image, source_label = self._source.collect(keys)
        target_image, target_label = self._target.collect(keys)
        if source_label is None:
            raise TypeError("the source is always labelled")
        return Batch(source_image, source_label, target_image, target_label)


@dataclass(frozen=True)
class _View:
    """What a patch is, for both sides."""

    task: Task
    balanced: bool
    adjacent_slices: int


@dataclass(frozen=True, eq=False)
class _Choices:
    """Where the patches of one case may lie: ``slices`` (Z,), or groups of ``centres`` (V, 3)."""

    padding: NDArray[np.float32]
    slices: NDArray[np.int64]
    centres: tuple[NDArray[np.int32], ...]


class _Side:
    """The cases of one side, what may be drawn of them, and few of their arrays kept open."""

    def __init__(
        self,
        key: str,
        cases: Sequence[PreparedCase],
        labels: LabelReader | None,
        view: _View,
        augmentation: Sequence[Kind] = (),
    ) -> None:
        self._key = key
        self._view = view
        self._augmenter = _augmenter(augmentation, view)
        self._image: Callable[[int], NDArray[np.float32]] = lru_cache(_MAX_OPEN)(
            lambda number: cases[number].image
        )
        self._label: Callable[[int], NDArray[np.uint8]] | None = None
        if labels is not None:
            self._label = lru_cache(_MAX_OPEN)(lambda number: labels.read(cases[number]))
        self._choices = [self._choices_of(number, case) for number, case in enumerate(cases)]

    def collect(self, keys: Sequence[str]) -> tuple[Tensor, Tensor | None]:
        """Return one sample per key; the label is None where it may not be read."""
        patch = self._view.task.patch_size
        images = np.empty((len(keys), self._view.task.in_channels, *patch), np.float32)
        labels = np.zeros((len(keys), *patch), np.int64)
        if not self._choices:
            images, labels = images[:0], labels[:0]
            keys = ()
        for row, key in enumerate(keys):
            digest = hashlib.sha256(f"{self._key}/{key}".encode()).digest()
            rng = np.random.default_rng(int.from_bytes(digest[:16]))
            number = int(rng.integers(len(self._choices)))
            choices = self._choices[number]
            start = self._start(number, choices, rng)
            read = partial(self._cut, number, start)
            if self._augmenter is None:
                images[row], label = read()
            else:
                # Numbers of its own: where a patch lies does not depend on what happens to it.
                own = np.random.default_rng(int.from_bytes(digest[16:]))
                shape = self._image(number).shape[1:]
                room = [
                    max(low, size - low - side, 0)
                    for low, size, side in zip(start, shape, patch, strict=False)
                ]
                images[row], label = self._augmenter.sample(own, patch, room, read)
            if label is not None:
                labels[row] = label
        return torch.from_numpy(images), torch.from_numpy(labels) if self._label else None

    def _cut(
        self, number: int, start: Sequence[int], margin: Sequence[int] = (0, 0, 0)
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8] | None]:
        """Return image ``(C, *S)`` and label ``(*S)`` of a patch with a margin all around."""
        sides = self._view.task.patch_size
        wide = tuple(side + 2 * more for side, more in zip(sides, margin, strict=False))
        begin = [low - more for low, more in zip_longest(start, margin[: len(sides)], fillvalue=0)]
        image = cut_input(
            self._image(number),
            begin,
            wide,
            self._choices[number].padding,
            self._view.adjacent_slices,
        )
        if self._label is None:
            return image, None
        return image, cut_label(self._label(number), begin, wide)

    def _start(
        self, number: int, choices: _Choices, rng: np.random.Generator
    ) -> tuple[int, int, int]:
        shape = self._image(number).shape[1:]
        patch = self._view.task.patch_size
        deep = patch if len(patch) == 3 else (*patch, 1)
        if self._view.balanced:
            group = choices.centres[rng.integers(len(choices.centres))]
            voxel = group[rng.integers(len(group))]
            x, y, z = (
                start_around(int(centre), size, length)
                for centre, size, length in zip(voxel, shape, deep, strict=True)
            )
            return x, y, z
        x, y, z = (
            int(rng.integers(size - length + 1)) if size > length else centred_start(size, length)
            for size, length in zip(shape, deep, strict=True)
        )
        return x, y, z if len(patch) == 3 else int(rng.choice(choices.slices))

    def _choices_of(self, number: int, case: PreparedCase) -> _Choices:
        image, mask, task = self._image(number), case.mask, self._view.task
        channels = in_channels(case, self._view.adjacent_slices)
        if channels != task.in_channels:
            raise InputError.of(
                f"{case.case.id} image", f"must give {task.in_channels} input channels", channels
            )
        smaller = any(
            size < length for size, length in zip(image.shape[1:], task.patch_size, strict=False)
        )
        padded = smaller or self._augmenter is not None
        padding = image.min(axis=(1, 2, 3)) if padded else np.zeros(len(image), np.float32)
        slices = np.zeros(0, np.int64)
        centres: tuple[NDArray[np.int32], ...] = ()
        if self._view.balanced:
            centres = self._centres(number, mask)
        elif task.spatial_dims == 2:
            slices = np.flatnonzero(mask.any(axis=(0, 1)))
        return _Choices(padding, slices, centres)

    def _centres(self, number: int, mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], ...]:
        if self._label is None:
            return (_spread(mask),)
        structure = self._label(number) > 0
        groups = (_spread(structure), _spread(mask & ~structure))
        return tuple(group for group in groups if len(group))


def _augmenter(augmentation: Sequence[Kind], view: _View) -> Augmenter | None:
    if not augmentation:
        return None
    from uda_study.data.augmentation_draw import Augmenter  # noqa: PLC0415 - slow to import

    task = view.task
    return Augmenter(augmentation, task.spatial_dims, task.in_channels // view.adjacent_slices)


def _spread(where: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the coordinates (V, 3) of true voxels, evenly thinned to `_MAX_CENTRES`."""
    flat = np.flatnonzero(where.ravel(order="F"))
    if len(flat) > _MAX_CENTRES:
        flat = flat[np.linspace(0, len(flat) - 1, _MAX_CENTRES).astype(np.int64)]
    return np.stack(np.unravel_index(flat, where.shape, order="F"), axis=1).astype(np.int32)
