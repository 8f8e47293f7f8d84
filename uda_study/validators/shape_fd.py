"""Whether the structures found are shaped like those of the source."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from uda_study.validator import Probe, Validator
from uda_study.validators._frechet import frechet_distance


class Shapes(Validator):
    """Minus the Fréchet distance between the structures' shapes and those of the source's labels.

    The shape of a structure in an image is its voxel count, centroid, number of components and the
    ratio of its longest to its shortest axis (roots of its coordinates' variances); one that is
    absent has all zeros. Meaned over structures; 0 is best. Assumes that anatomy is alike in both
    domains and laid out alike; fails when prevalence, pathology or field of view shift.
    """

    def score(self, probe: Probe) -> float:
        """Return the score, at most 0."""
        classes = range(1, probe.probabilities.shape[1])
        found, known = probe.probabilities.argmax(dim=1), probe.training.labels
        distances = [frechet_distance(_shapes(found, c), _shapes(known, c)) for c in classes]
        return -float(sum(distances) / len(distances))


def _shapes(labels: Tensor, structure: int) -> Tensor:
    """Return one row of numbers per image, ``(N, 3 + dims)``."""
    masks = (labels == structure).cpu().numpy()
    return torch.from_numpy(np.stack([_shape(mask) for mask in masks]))


def _shape(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    places = np.argwhere(mask)
    if not len(places):
        return np.zeros(3 + mask.ndim)
    _, components = ndimage.label(mask)
    # A voxel is not a point: its own variance keeps the ratio of thin structures finite.
    spread = np.atleast_2d(np.cov(places.T, bias=True)) + np.eye(mask.ndim) / 12
    axes = np.sqrt(np.linalg.eigvalsh(spread))
    return np.array([len(places), components, axes[-1] / axes[0], *places.mean(axis=0)])
