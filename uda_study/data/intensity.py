"""Which voxels show the patient, and how intensities are made comparable inside them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from uda_study.dataset import Preprocessing
from uda_study.errors import InputError

# A value is the background when at least this share of the volume's border voxels has it.
_BORDER_SHARE = 0.5


def foreground(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the voxels (X, Y, Z) that differ from the background.

    The background is the one value that at least half of the border voxels have (a skull-stripped
    or padded image). Without such a value all voxels are foreground: give a mask file where that
    is not wanted.
    """
    edges = [image[[0, -1]], image[:, [0, -1]]]
    if image.shape[2] > 1:
        edges.append(image[:, :, [0, -1]])
    border = np.concatenate([edge.ravel() for edge in edges])
    values, counts = np.unique(border, return_counts=True)
    commonest = counts.argmax()
    if counts[commonest] < _BORDER_SHARE * border.size:
        return np.ones(image.shape, bool)
    differs: NDArray[np.bool_] = image != values[commonest]
    return differs


def darken_background(image: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the image with its background at the darkest value inside the foreground.

    Skull-stripped images often store 0 in the middle of their range; so background, padding and
    the minimum of the volume are one value everywhere.
    """
    return np.where(mask, image, image[mask].min())


def clip_cut(
    image: NDArray[np.float32], mask: NDArray[np.bool_], cut: tuple[float, float] | None
) -> NDArray[np.float32]:
    """Return the image clipped to two percentiles of what lies inside the mask, if there are any.

    >>> image = np.arange(5, dtype=np.float32)
    >>> clip_cut(image, image > 0, (0, 50)).tolist()
    [1.0, 1.0, 2.0, 2.5, 2.5]
    """
    if cut is None:
        return image
    low, high = np.percentile(image[mask], cut)
    return image.clip(np.float32(low), np.float32(high))


def normalise(
    image: NDArray[np.float32], mask: NDArray[np.bool_], preprocessing: Preprocessing, where: str
) -> NDArray[np.float32]:
    """Return one channel (X, Y, Z) normalised by what lies inside the mask.

    ``zscore`` gives mean 0 and deviation 1 inside the mask and moves the other voxels along;
    ``percentile`` maps the two percentiles to 0 and 1 and clips. Raises `InputError` where the
    voxels inside the mask are all alike.
    """
    if preprocessing.intensity == "none":
        return image
    inside = image[mask].astype(np.float64)
    if preprocessing.intensity == "zscore":
        low, extent = float(inside.mean()), float(inside.std())
    else:
        low, high = (float(value) for value in np.percentile(inside, preprocessing.percentiles))
        extent = high - low
    if not extent > 0:
        raise InputError.of(
            where, "the image is constant inside its mask", low, "correct the mask or leave it out"
        )
    result = ((image - low) / extent).astype(np.float32)
    return result if preprocessing.intensity == "zscore" else result.clip(0, 1)
