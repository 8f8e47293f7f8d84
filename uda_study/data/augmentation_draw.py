"""Draw and apply augmentation; every number comes from the generator that is handed in.

TorchIO's random transforms draw from torch's global generator, which a thread that reads ahead
shares with the training. So the numbers are drawn here, and TorchIO's deterministic transforms
are applied through ``apply_transform``, which draws nothing. Noise alone is numpy's: TorchIO's
seeds the global generator. Coarse voxels are torch's, whose resampling repeats the border.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import SimpleITK
import torch
import torchio
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from uda_study.data.augmentation import (
    Affine,
    Blur,
    Brightness,
    Contrast,
    Gamma,
    Kind,
    LowResolution,
    Mirror,
    Noise,
)

Image = NDArray[np.float32]
Label = NDArray[np.uint8]
Rng = np.random.Generator
Read = Callable[[tuple[int, ...]], tuple[Image, Label | None]]
"""Image ``(C, *S)`` and label ``(*S)`` of the patch, wider by a margin on both sides of an axis."""

# Half of what is called here has no types.
tio: Any = torchio
itk: Any = SimpleITK
# A patch is resampled sooner than threads are started, and cores belong to other trainings.
itk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
_SMALLEST = 1e-7


class Augmenter:
    """Applies the transforms, each with its probability, to one sample after another.

    ``channels`` of an image share what is drawn for a channel if they are slices of one: channel
    k shows the image's own channel ``k % channels``.
    """

    def __init__(self, transforms: Sequence[Kind], spatial_dims: int, channels: int) -> None:
        self._affine = next((kind for kind in transforms if isinstance(kind, Affine)), None)
        self._others = tuple(kind for kind in transforms if not isinstance(kind, Affine))
        self._planar = spatial_dims == 2
        self._channels = channels

    def sample(
        self, rng: Rng, patch: Sequence[int], room: Sequence[int], read: Read
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Return image ``(C, *S)`` and label ``(*S)`` of an augmented patch of that size.

        What an affine map brings in from outside the patch is read, as far as there is ``room`` on
        an axis; beyond that are the patch's minimum and background.
        """
        moved = None if self._affine is None else _draw_affine(self._affine, rng, patch)
        margin = (0,) * len(patch)
        if moved is not None and any(room):
            margin = tuple(map(min, _margin(moved, patch), room))
        subject = _subject(*read(margin), self._planar)
        if moved is not None:
            moved.apply_transform(subject)
            inside = [slice(wide, wide + side) for wide, side in zip(margin, patch, strict=True)]
            for part in (subject.image, subject.label):
                part.set_data(part.data[(slice(None), *inside)])
        for kind in self._others:
            if isinstance(kind, Mirror):
                axes = tuple(axis for axis in kind.axes if rng.random() < kind.p)
                tio.Flip(axes).apply_transform(subject)
            elif rng.random() < kind.p:
                self._change(kind, rng, subject.image.data)
        image, label = subject.image.numpy(), subject.label.numpy()[0]
        return (image[..., 0], label[..., 0]) if self._planar else (image, label)

    def _change(self, kind: Kind, rng: Rng, image: Tensor) -> None:
        """Change the intensities of ``(C, X, Y, Z)`` in place, each channel by its own numbers."""
        if isinstance(kind, Noise):
            noise = rng.standard_normal(image.shape[1:], np.float32)
            image.add_(torch.from_numpy(noise), alpha=rng.uniform(*kind.std))
            return
        share = kind.p_channel if isinstance(kind, Blur | LowResolution) else 1.0
        for number in range(self._channels):
            if rng.random() < share:
                channel = image[number :: self._channels]
                channel.copy_(_CHANGES[type(kind)](kind, rng, channel, self._planar))


def _blurred(blur: Blur, rng: Rng, image: Tensor, planar: bool) -> Tensor:
    deviations = rng.uniform(*blur.std, size=3)
    return _transformed(tio.Blur((*deviations[:2], 0.0 if planar else deviations[2])), image)


def _brightened(brightness: Brightness, rng: Rng, image: Tensor, _: bool) -> Tensor:
    return image * _factor(rng, brightness.factor)


def _spread(contrast: Contrast, rng: Rng, image: Tensor, _: bool) -> Tensor:
    mean, low, high = image.mean(), image.min(), image.max()
    return ((image - mean) * _factor(rng, contrast.factor) + mean).clamp(low, high)


def _coarsened(coarse: LowResolution, rng: Rng, image: Tensor, planar: bool) -> Tensor:
    scale, whole = rng.uniform(*coarse.scale), list(image.shape[1:])
    sides = [max(1, round(side * scale)) for side in whole]
    if planar or coarse.in_plane:
        sides[2] = whole[2]
    small = interpolate(image[None], sides, mode="nearest-exact")
    return interpolate(small, whole, mode="trilinear")[0]


def _gamma_corrected(gamma: Gamma, rng: Rng, image: Tensor, _: bool) -> Tensor:
    """Return a power of the image; its mean and deviation stay (nnU-Net's GammaTransform)."""
    exponent = _factor(rng, gamma.exponent)
    image = -image if gamma.invert else image
    low, extent = image.min(), image.max() - image.min()
    if extent > _SMALLEST:
        power = _transformed(tio.Gamma(exponent), (image - low) / extent)
        spread = image.std() / power.std().clamp(_SMALLEST)
        image = (power - power.mean()) * spread + image.mean()
    return -image if gamma.invert else image


_CHANGES: Mapping[type[Kind], Callable[[Any, Rng, Tensor, bool], Tensor]] = {
    Blur: _blurred,
    Brightness: _brightened,
    Contrast: _spread,
    LowResolution: _coarsened,
    Gamma: _gamma_corrected,
}


def _subject(image: Image, label: Label | None, planar: bool) -> Any:
    """Return both as TorchIO holds them: ``(C, X, Y, Z)``, voxels of 1 mm."""
    if label is None:
        raise TypeError("what is augmented is always labelled")
    volume, classes = torch.from_numpy(image), torch.from_numpy(label)[None]
    if planar:
        volume, classes = volume[..., None], classes[..., None]
    return tio.Subject(image=tio.ScalarImage(tensor=volume), label=tio.LabelMap(tensor=classes))


def _transformed(transform: Any, image: Tensor) -> Tensor:
    subject = tio.Subject(image=tio.ScalarImage(tensor=image))
    transform.apply_transform(subject)
    changed: Tensor = subject.image.data
    return changed


def _draw_affine(affine: Affine, rng: Rng, patch: Sequence[int]) -> Any:
    """Return the map that was drawn, or None where it would change nothing."""
    degrees, scales, shift = np.zeros(3), np.ones(3), np.zeros(3)
    # As many numbers are drawn whatever happens, so that one probability leaves the others alone.
    chances, angles = rng.random(3), rng.uniform(-1, 1, 3)
    low, high = affine.scaling
    reciprocals, shares = rng.uniform(1 / high, 1 / low, 3), rng.uniform(-1, 1, 3)
    if chances[0] < affine.p_rotation:
        degrees = affine.rotation * angles
    if chances[1] < affine.p_scaling:
        scales = 1 / (reciprocals[[0, 0, 0]] if affine.isotropic else reciprocals)
    if chances[2] < affine.p_translation:
        sides = np.array([*patch, 0][:3])
        shift = affine.translation * sides * shares
    if affine.in_plane or len(patch) == 2:
        degrees[:2], scales[2], shift[2] = 0, 1, 0
    if not degrees.any() and not shift.any() and (scales == 1).all():
        return None
    return tio.Affine(tuple(scales), tuple(degrees), tuple(shift))


def _margin(moved: Any, patch: Sequence[int]) -> tuple[int, ...]:
    """Return how far beyond the patch, on both sides of each axis, the map looks at most."""
    sides = np.array([*patch, 1][:3])
    half = (sides - 1) / 2
    image = tio.ScalarImage(tensor=torch.empty(1, *sides))
    centre = np.array(image.get_center(lps=True))
    looks_at = moved.get_affine_transform(image).TransformPoint
    corners = [half * signs for signs in product((-1, 1), repeat=3)]
    reach = np.abs([np.array(looks_at(centre + corner)) - centre for corner in corners]).max(0)
    wider = np.maximum(0, np.ceil(reach - half - _SMALLEST)).astype(int)
    return tuple(int(side) for side in wider[: len(patch)])


def _factor(rng: Rng, bounds: tuple[float, float]) -> float:
    """Draw below 1 as often as above, as far as the bounds allow it (nnU-Net's BGContrast)."""
    low, high = bounds
    if rng.random() < 0.5 and low < 1:
        return float(rng.uniform(low, min(high, 1)))
    return float(rng.uniform(max(low, 1), high)) if high > 1 else float(rng.uniform(low, high))
