"""The contract of a validator: a score of a model that no target label enters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Labelled:
    """Source images ``(N, C, *S)`` with their classes ``(N, *S)``, as `Probe` shows them."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True, eq=False)
class Seen:
    """What a model makes of images.

    ``probabilities`` are ``(N, K, *S)``; ``features`` ``(N, F)`` is the mean over each image of
    what the segmentation network's last layer sees, None where there is no such network.
    """

    probabilities: Tensor
    features: Tensor | None


@dataclass(frozen=True, eq=False)
class Probe:
    """What a validator sees: target images without labels, and ways to look at them.

    ``images`` ``(N, C, *S)`` is a fixed subsample of target adaptation images; ``look`` shows
    images to the model under test and ``look_source`` shows source images to the segmenter that it
    started from, or to itself where there is none. ``training`` and ``validation`` are fixed
    subsamples of the source's, with labels. ``translate`` gives target images the source's
    appearance, None for methods that translate none. ``seed`` fixes every random choice, ``step``
    is how long was trained, ``spatial_dims`` is 2 or 3.
    """

    images: Tensor
    look: Callable[[Tensor], Seen]
    look_source: Callable[[Tensor], Seen]
    training: Labelled
    validation: Labelled
    seed: int
    spatial_dims: int
    step: int = 0
    translate: Callable[[Tensor], Tensor] | None = None

    @cached_property
    def seen(self) -> Seen:
        """What the model makes of the target images; computed once for all validators."""
        return self.look(self.images)

    @cached_property
    def seen_training(self) -> Seen:
        """What is made of the source's training images."""
        return self.look_source(self.training.images)

    @cached_property
    def seen_validation(self) -> Seen:
        """What is made of the source's validation images."""
        return self.look_source(self.validation.images)

    @property
    def probabilities(self) -> Tensor:
        """The class probabilities of the target images ``(N, K, *S)``."""
        return self.seen.probabilities

    def predict(self, images: Tensor) -> Tensor:
        """Return the model's class probabilities ``(N, K, *S)`` of other views of the images."""
        return self.look(images).probabilities


class Validator(ABC):
    """A score of a model computed without target labels; higher is better.

    The docstring says what the score assumes and when it fails.
    """

    @abstractmethod
    def score(self, probe: Probe) -> float:
        """Return the score; NaN where it is not defined for the method."""
