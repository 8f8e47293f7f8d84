"""What metrics of single structures have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from uda_study.metric import CaseMetric, Comparison


class PerStructure(CaseMetric):
    """A metric with one value for each structure."""

    def measure(self, comparison: Comparison, classes: Sequence[int]) -> dict[int, float]:
        """Return the value of each class."""
        return {structure: self.value(comparison, structure) for structure in classes}

    @abstractmethod
    def value(self, comparison: Comparison, structure: int) -> float:
        """Return the value of one structure."""


class Volumes(NamedTuple):
    """The voxels of a structure: predicted, true, and both at once."""

    predicted: int
    true: int
    common: int

    @property
    def absent(self) -> bool:
        """Whether the structure is neither predicted nor true."""
        return self.predicted + self.true == 0


def volumes(comparison: Comparison, structure: int) -> Volumes:
    """Return the volumes of a structure."""
    return Volumes(
        comparison.predicted_volumes[structure],
        comparison.true_volumes[structure],
        comparison.common_volumes[structure],
    )
