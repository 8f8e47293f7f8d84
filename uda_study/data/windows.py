"""Apply a network that knows patches to whole volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from math import ceil, prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uda_study.data.patches import centred_start, covered, cut_input
from uda_study.data.prepare import PreparedCase
from uda_study.data.slabs import NativeLabels, slabs_to_native
from uda_study.types import Task

# How many voxels, and windows, a network sees at once.
_BATCH_VOXELS, _MOST_WINDOWS = 1 << 20, 8


def predict_volume(
    image: NDArray[np.float32],
    predict: Callable[[Tensor], Tensor],
    task: Task,
    adjacent_slices: int = 1,
    *,
    batch_size: int | None = None,
    overlap: float = 0.5,
    device: str | torch.device = "cpu",
) -> NDArray[np.float32]:
    """Return class probabilities (K, X, Y, Z) of a volume (C, X, Y, Z); see `predict_slabs`.

    Besides the result, only one slab and one batch of windows are held.
    """
    result: NDArray[np.float32] | None = None
    done = 0
    for slab in predict_slabs(
        image,
        predict,
        task,
        adjacent_slices,
        batch_size=batch_size,
        overlap=overlap,
        device=device,
    ):
        if result is None:
            result = np.empty((len(slab), *image.shape[1:]), np.float32)
        result[..., done : done + slab.shape[3]] = slab
        done += slab.shape[3]
    if result is None:
        raise ValueError("the volume has no voxels")
    return result


def segment_volume(
    prepared: PreparedCase,
    segment: Callable[[Tensor], Tensor],
    task: Task,
    adjacent_slices: int = 1,
    *,
    overlap: float = 0.5,
    device: str | torch.device = "cpu",
) -> NativeLabels:
    """Return the classes of a case on its native grid.

    ``segment`` maps ``(N, C, *S)`` to logits ``(N, K, *S)``. Beside the result, the probabilities
    of some slabs are held, a patch deep, and one batch of windows.
    """

    def probabilities(batch: Tensor) -> Tensor:
        return torch.softmax(segment(batch).float(), dim=1)

    slabs = predict_slabs(
        prepared.image, probabilities, task, adjacent_slices, overlap=overlap, device=device
    )
    return slabs_to_native(slabs, prepared.grid, task.num_classes)


def predict_slabs(
    image: NDArray[np.float32],
    predict: Callable[[Tensor], Tensor],
    task: Task,
    adjacent_slices: int = 1,
    *,
    batch_size: int | None = None,
    overlap: float = 0.5,
    device: str | torch.device = "cpu",
) -> Iterator[NDArray[np.float32]]:
    """Yield the class probabilities of a volume (C, X, Y, Z) as slabs ``(K, X, Y, n)``, along Z.

    2D networks see slice by slice. Where windows overlap by the share ``overlap``, they are
    blended with Gaussian weights of an eighth of the patch (Isensee et al., nnU-Net) that sum to 1;
    an axis no longer than the patch has one window, padded with the image's minimum, whose values
    are kept exactly. ``predict`` maps ``(N, C, *S)`` to probabilities ``(N, K, *S)``. A slab is
    handed out as soon as no further window reaches it, so that what is held is a patch and a batch
    deep. ``batch_size`` is by default what holds a million voxels, from 1 to 8.
    """
    patch = task.patch_size
    if batch_size is None:
        batch_size = min(max(_BATCH_VOXELS // prod(patch), 1), _MOST_WINDOWS)
    deep = patch if len(patch) == 3 else (*patch, 1)
    shape = image.shape[1:]
    axes = [_axis_windows(size, length, overlap) for size, length in zip(shape, deep, strict=True)]
    padding = image.min(axis=(1, 2, 3))
    # One slice after the other, so that neighbouring windows are read together.
    windows = list(product(axes[2], axes[0], axes[1]))
    held: NDArray[np.float32] | None = None
    done = 0
    for first in range(0, len(windows), batch_size):
        batch = windows[first : first + batch_size]
        inputs = np.stack(
            [
                cut_input(image, (x.start, y.start, z.start), patch, padding, adjacent_slices)
                for z, x, y in batch
            ]
        )
        with torch.inference_mode():
            outputs = predict(torch.from_numpy(inputs).to(device)).float().cpu().numpy()
        if held is None:
            held = np.zeros((outputs.shape[1], *shape[:2], 0), np.float32)
        missing = batch[-1][0].covered.stop - done - held.shape[3]
        if missing > 0:
            held = np.concatenate([held, np.zeros((*held.shape[:3], missing), np.float32)], axis=3)
        for (z, x, y), output in zip(batch, outputs, strict=True):
            part = output.reshape(len(output), *deep)[:, x.inside, y.inside, z.inside]
            weight = x.weight[:, None, None] * y.weight[:, None] * z.weight
            depth = slice(z.covered.start - done, z.covered.stop - done)
            held[:, x.covered, y.covered, depth] += part * weight
        following = first + len(batch)
        reached = windows[following][0].covered.start if following < len(windows) else shape[2]
        if reached > done:
            yield held[..., : reached - done]
            held, done = held[..., reached - done :], reached


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
