"""Apply a network that knows patches to whole volumes, and pick the images validators look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, product
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uda_study.data.patches import centred_start, covered, cut_input, start_around
from uda_study.data.prepare import PreparedCase
from uda_study.types import Task


def predict_volume(
    image: NDArray[np.float32],
    predict: Callable[[Tensor], Tensor],
    task: Task,
    adjacent_slices: int = 1,
    *,
    batch_size: int = 8,
    overlap: float = 0.5,
    device: str | torch.device = "cpu",
) -> NDArray[np.float32]:
    """Return class probabilities (K, X, Y, Z) of a volume (C, X, Y, Z).

    2D networks see slice by slice. Where windows overlap by the share ``overlap``, they are
    blended with Gaussian weights of an eighth of the patch (Isensee et al., nnU-Net) that sum to 1;
    an axis no longer than the patch has one window, padded with the image's minimum, whose values
    are kept exactly. ``predict`` maps ``(N, C, *S)`` to probabilities ``(N, K, *S)``. Besides the
    result, only one batch of windows is held.
    """
    patch = task.patch_size
    deep = patch if len(patch) == 3 else (*patch, 1)
    shape = image.shape[1:]
    axes = [_axis_windows(size, length, overlap) for size, length in zip(shape, deep, strict=True)]
    padding = image.min(axis=(1, 2, 3))
    # One slice after the other, so that neighbouring windows are read together.
    windows = iter(product(axes[2], axes[0], axes[1]))
    result: NDArray[np.float32] | None = None
    while batch := list(islice(windows, batch_size)):
        inputs = np.stack(
            [
                cut_input(image, (x.start, y.start, z.start), patch, padding, adjacent_slices)
                for z, x, y in batch
            ]
        )
        with torch.inference_mode():
            outputs = predict(torch.from_numpy(inputs).to(device)).float().cpu().numpy()
        if result is None:
            result = np.zeros((outputs.shape[1], *shape), np.float32)
        for (z, x, y), output in zip(batch, outputs, strict=True):
            part = output.reshape(len(output), *deep)[:, x.inside, y.inside, z.inside]
            weight = x.weight[:, None, None] * y.weight[:, None] * z.weight
            result[:, x.covered, y.covered, z.covered] += part * weight
    if result is None:
        raise ValueError("the volume has no voxels")
    return result


def translate_volume(
    image: NDArray[np.float32],
    translate: Callable[[Tensor], Tensor],
    task: Task,
    adjacent_slices: int = 1,
    *,
    device: str | torch.device = "cpu",
) -> NDArray[np.float32]:
    """Return a volume (C, X, Y, Z) whose windows were mapped by ``translate``, as `predict_volume`.

    ``translate`` maps images to images of the same shape ``(N, C * adjacent_slices, *S)``. Every
    slice of a volume is the middle of a stack once, and that is the translation that counts.
    """
    channels = task.in_channels // adjacent_slices
    first = channels * (adjacent_slices // 2)

    def middle(stack: Tensor) -> Tensor:
        return translate(stack)[:, first : first + channels]

    return predict_volume(image, middle, task, adjacent_slices, device=device)


def sample_probe(
    prepared: Sequence[PreparedCase], task: Task, adjacent_slices: int, count: int, seed: int
) -> Tensor:
    """Return ``count`` fixed patches ``(N, C, *S)``, shared out evenly over the cases.

    Within a case, the patches lie in slices spread evenly over those whose mask is not empty, each
    centred on the mask of its slice; ``seed`` shifts the slices and says which cases give one more.
    """
    rng = np.random.default_rng(seed)
    shares = np.full(len(prepared), count // len(prepared))
    shares[rng.permutation(len(prepared))[: count % len(prepared)]] += 1
    patches = [
        patch
        for case, share in zip(prepared, shares, strict=True)
        for patch in _probe_patches(case, task, adjacent_slices, int(share), rng.random())
    ]
    return torch.from_numpy(np.stack(patches))


class _Window:
    """One window along one axis: where it starts, what it covers, and its weight there."""

    def __init__(self, start: int, size: int, patch: int) -> None:
        self.start = start
        self.covered, self.inside = covered(start, size, patch)
        distance = (np.arange(patch) - (patch - 1) / 2) / (patch / 8)
        self.weight = np.exp(-0.5 * distance**2)[self.inside].astype(np.float32)


def _axis_windows(size: int, patch: int, share: float) -> list[_Window]:
    """Return the windows along an axis; at every voxel their weights sum to 1."""
    if size <= patch:
        starts = [centred_start(size, patch)]
    else:
        count = ceil((size - patch) / max(patch * (1 - share), 1)) + 1
        starts = [round(start) for start in np.linspace(0, size - patch, count)]
    windows = [_Window(start, size, patch) for start in starts]
    total = np.zeros(size, np.float32)
    for window in windows:
        total[window.covered] += window.weight
    for window in windows:
        window.weight = window.weight / total[window.covered]
    return windows


def _probe_patches(
    case: PreparedCase, task: Task, adjacent_slices: int, share: int, phase: float
) -> Iterator[NDArray[np.float32]]:
    if share == 0:
        return
    image, mask = case.image, case.mask
    padding = image.min(axis=(1, 2, 3))
    slices = np.flatnonzero(mask.any(axis=(0, 1)))
    for number in range(share):
        z = int(slices[int((number + phase) * len(slices) / share)])
        inside = np.argwhere(mask[:, :, z])
        x, y = (inside.min(axis=0) + inside.max(axis=0)) // 2
        centre = (int(x), int(y), z)
        deep = task.patch_size if len(task.patch_size) == 3 else (*task.patch_size, 1)
        start = [
            start_around(middle, size, length)
            for middle, size, length in zip(centre, mask.shape, deep, strict=True)
        ]
        yield cut_input(image, start, task.patch_size, padding, adjacent_slices)
