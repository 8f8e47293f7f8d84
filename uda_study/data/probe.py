"""Pick the images that validators and pictures look at: few, fixed, spread over the cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from uda_study.data.labels import LabelReader
from uda_study.data.patches import cut_input, cut_label, start_around
from uda_study.data.prepare import PreparedCase
from uda_study.types import Task

Start = tuple[int, int, int]


def sample_probe(
    prepared: Sequence[PreparedCase], task: Task, adjacent_slices: int, count: int, seed: int
) -> Tensor:
    """Return ``count`` fixed patches ``(N, C, *S)``, shared out evenly over the cases.

    Within a case, the patches lie in slices spread evenly over those whose mask is not empty, each
    centred on the mask of its slice; ``seed`` shifts the slices and says which cases give one more.
    """
    return torch.stack(
        [
            _image(case, start, task, adjacent_slices)
            for case, start in _places(prepared, task, count, seed)
        ]
    )


def sample_labelled(
    prepared: Sequence[PreparedCase],
    labels: LabelReader,
    task: Task,
    adjacent_slices: int,
    count: int,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """Return the patches of `sample_probe` and their classes ``(N, *S)``, int64."""
    images, classes = [], []
    for case, start in _places(prepared, task, count, seed):
        images.append(_image(case, start, task, adjacent_slices))
        part = cut_label(labels.read(case), start, task.patch_size)
        classes.append(torch.from_numpy(part.astype(np.int64)))
    return torch.stack(images), torch.stack(classes)


def _image(case: PreparedCase, start: Start, task: Task, adjacent_slices: int) -> Tensor:
    image = case.image
    padding = image.min(axis=(1, 2, 3))
    return torch.from_numpy(cut_input(image, start, task.patch_size, padding, adjacent_slices))


def _places(
    prepared: Sequence[PreparedCase], task: Task, count: int, seed: int
) -> Iterator[tuple[PreparedCase, Start]]:
    rng = np.random.default_rng(seed)
    shares = np.full(len(prepared), count // len(prepared))
    shares[rng.permutation(len(prepared))[: count % len(prepared)]] += 1
    for case, share in zip(prepared, shares, strict=True):
        for start in _starts(case, task, int(share), rng.random()):
            yield case, start


def _starts(case: PreparedCase, task: Task, share: int, phase: float) -> Iterator[Start]:
    if share == 0:
        return
    mask = case.mask
    deep = task.patch_size if len(task.patch_size) == 3 else (*task.patch_size, 1)
    slices = np.flatnonzero(mask.any(axis=(0, 1)))
    for number in range(share):
        z = int(slices[int((number + phase) * len(slices) / share)])
        inside = np.argwhere(mask[:, :, z])
        x, y = (inside.min(axis=0) + inside.max(axis=0)) // 2
        first, second, third = (
            start_around(int(middle), size, length)
            for middle, size, length in zip((x, y, z), mask.shape, deep, strict=True)
        )
        yield first, second, third
