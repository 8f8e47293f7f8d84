"""The contracts of what is measured: metrics open labels, validators never do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


class Metric(ABC):
    """What every metric declares; the file name in ``metrics/`` is its name in tables."""

    higher_is_better: ClassVar[bool]
    unit: ClassVar[str]


class CaseMetric(Metric):
    """Compares a predicted label map with the truth, per structure; used by the evaluator alone."""

    @abstractmethod
    def measure(
        self,
        prediction: NDArray[np.uint8],
        truth: NDArray[np.uint8],
        classes: Sequence[int],
        spacing: tuple[float, ...],
    ) -> dict[int, float]:
        """Return the value for each class; arrays ``(X, Y, Z)``, spacing in mm.

        Conventions for empty structures are the metric's own and stated in its docstring.
        """


class ImageMetric(Metric):
    """Compares the intensities of target images with the source's; opens no labels."""

    @abstractmethod
    def measure(
        self,
        images: Sequence[NDArray[np.float32]],
        source: Sequence[NDArray[np.float32]],
        reference: Sequence[NDArray[np.float32]],
    ) -> list[float]:
        """Return one value per image; every array holds the voxels inside one case's mask ``(V,)``.

        ``images`` are target images, translated or not, ``reference`` the same kind of images
        before adaptation: together with ``source`` they fix everything that is fitted, so that
        before and after are measured alike.
        """


@dataclass(frozen=True)
class Probe:
    """What a validator sees: target images without labels, and ways to predict.

    ``images`` ``(N, C, *S)`` is a fixed subsample of target adaptation images; ``predict`` maps
    images to class probabilities ``(N, K, *S)`` with the model under test; ``seed`` fixes every
    random choice. ``spatial_dims`` is 2 or 3.
    """

    images: Tensor
    predict: Callable[[Tensor], Tensor]
    seed: int
    spatial_dims: int


class Validator(ABC):
    """A score of a model computed without target labels; higher is better.

    The docstring says what the score assumes and when it fails.
    """

    @abstractmethod
    def score(self, probe: Probe) -> float:
        """Return the score; finite whenever the probabilities are."""


Scores = Mapping[str, float]
"""Named numbers: ``blind/...`` without labels, ``oracle/...`` from target validation labels,
``test/...`` from target test labels, ``train/...`` losses, ``cost/...`` seconds and memory."""
