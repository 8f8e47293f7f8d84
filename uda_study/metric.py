"""The contracts of what is measured with labels; `uda_study.validator` has the other."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from uda_study.errors import InputError

T = TypeVar("T")


class Metric(ABC):
    """What every metric declares; the file name in ``metrics/`` is its name in tables.

    One that is not in the ``default`` set is measured where a study, or ``uda-study evaluate``,
    names it. ``undefined`` says when its value is NaN.
    """

    higher_is_better: ClassVar[bool]
    unit: ClassVar[str]
    default: ClassVar[bool] = True
    undefined: ClassVar[str] = "its value is not a number"


ALL = 0
"""The key under which a `CaseMetric` returns one value of all structures together."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A predicted label map and the true one, and what several metrics need to know of them.

    Both are ``(X, Y, Z)`` with classes as values, 0 for the background; an image of one slice is
    ``(X, Y, 1)``. ``spacing`` is in mm, one for each axis. What is derived from the two is computed
    when it is first asked for, and once: the volumes here, everything else through `shared`.
    """

    prediction: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    spacing: tuple[float, ...]
    _shared: dict[tuple[Callable[..., Any], int], Any] = field(
        default_factory=dict, init=False, repr=False
    )

    def __post_init__(self) -> None:
        if self.prediction.shape != self.truth.shape:
            raise InputError.of(
                "prediction",
                f"must have the truth's shape {self.truth.shape}",
                self.prediction.shape,
            )
        if len(self.spacing) != self.truth.ndim or not all(
            0 < edge < math.inf for edge in self.spacing
        ):
            raise InputError.of(
                "spacing", f"must be {self.truth.ndim} positive lengths in mm", self.spacing
            )

    @cached_property
    def predicted_volumes(self) -> list[int]:
        """The predicted voxels of each label value, 256 of them."""
        return _voxels(self.prediction)

    @cached_property
    def true_volumes(self) -> list[int]:
        """The true voxels of each label value."""
        return _voxels(self.truth)

    @cached_property
    def common_volumes(self) -> list[int]:
        """The voxels of each label value that are predicted and true."""
        return _voxels(self.truth[self.prediction == self.truth])

    def shared(self, compute: Callable[[Comparison, int], T], structure: int) -> T:
        """Return ``compute(self, structure)``, computed for the metric that asks first."""
        key = (compute, structure)
        if key not in self._shared:
            self._shared[key] = compute(self, structure)
        found: T = self._shared[key]
        return found


def _voxels(labels: NDArray[np.uint8]) -> list[int]:
    counts: list[int] = np.bincount(labels.ravel(), minlength=256).tolist()
    return counts


class CaseMetric(Metric):
    """Compares a predicted label map with the truth; used by the evaluator alone."""

    @abstractmethod
    def measure(self, comparison: Comparison, classes: Sequence[int]) -> dict[int, float]:
        """Return the value of each class, or one under `ALL` for all of them together.

        NaN where a value does not exist; means leave it out. Conventions for empty structures are
        the metric's own and stated in its docstring.
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

        ``images`` are target images, translated or not, ``reference`` those that were adapted to,
        as they were: together with ``source`` they fix everything that is fitted, so that before
        and after are measured alike and nothing is fitted on what is tested.
        """


class SetMetric(Metric):
    """Compares a set of target planes with the source's as a whole: one value, and none per image.

    Its row stands for all cases of a role, see `uda_study.training.evaluate.WHOLE_SET`.
    """

    @abstractmethod
    def measure(self, features: NDArray[np.float64], source: NDArray[np.float64]) -> float:
        """Return the distance of target planes ``(n, D)`` from source planes ``(m, D)``.

        Rows are the features of `uda_study.training.features`. NaN where there are too few planes.
        """


class TranslationMetric(Metric):
    """Compares two images voxel by voxel; only for methods that translate.

    Usually a translation is compared with its input. A metric that ``perturbs`` compares what is
    restored from the translation with noise and without (Ren et al. 2021, eq. 6, 7), for methods
    that translate both ways: its value is the mean of the curve over the noise's standard deviation
    in [0, 0.5] (the area under it, divided by its width). The unit of that deviation is half the
    data range, so that it is the published one for images scaled to [-1, 1].
    """

    perturbs: ClassVar[bool] = False

    @abstractmethod
    def measure(
        self,
        image: NDArray[np.float32],
        reference: NDArray[np.float32],
        mask: NDArray[np.bool_],
        data_range: float,
    ) -> float:
        """Return the value inside the mask; all arrays are ``(X, Y, Z)``, one channel.

        Intensities are shifted so that the 0.1 percentile of both domains' images before
        adaptation is 0, and the 99.9 percentile ``data_range``.
        """


Scores = Mapping[str, float]
"""Named numbers: ``blind/...`` without labels, ``oracle/...`` from target validation labels,
``test/...`` from target test labels, ``train/...`` losses, ``cost/...`` seconds and memory."""
