"""The contract that a dataset implements: what the published layout is and how it becomes cases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from uda_study.types import Case


class DatasetOptions(BaseModel):
    """The options of one dataset, given under ``data.options`` in a study file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Preprocessing(BaseModel):
    """How a case becomes arrays on the study's grid; every field is part of the cache's key.

    ``labels`` maps each structure to the values it has in the label files, e.g.
    ``{tumour: [1, 2, 3, 4]}``; its order gives the classes 1, 2, …; values not named become
    background. ``spacing`` is in mm along the RAS axes (None keeps the native spacing); ``size``
    crops or pads around the centre, in voxels of that grid. ``zscore`` is computed inside the
    mask; ``percentile`` maps the given percentiles inside the mask to 0 and 1, clipped.
    ``nonfinite: zero`` admits images with NaN or infinite voxels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: dict[str, tuple[int, ...]]
    spacing: tuple[float, float, float] | None = None
    size: tuple[int, int, int] | None = None
    intensity: Literal["zscore", "percentile", "none"] = "zscore"
    percentiles: tuple[float, float] = (0.5, 99.5)
    nonfinite: Literal["error", "zero"] = "error"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The background and the structures, in the order of the network's classes."""
        return ("background", *self.labels)


class DatasetInfo(BaseModel):
    """What ``uda-study datasets`` prints of a dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: str
    licence: str
    citation: str
    tree: str = Field(description="the expected files below the root, one per line")


O = TypeVar("O", bound=DatasetOptions)  # noqa: E741 - as H in method.py: the options' type


class Dataset(ABC, Generic[O]):
    """Images of several domains on disk; the file name in ``datasets/`` is the key used in YAML.

    ``root`` is where the images lie (None where the dataset makes its own); ``cache`` is a folder
    that the dataset may write to.
    """

    Options: ClassVar[type[DatasetOptions]]
    info: ClassVar[DatasetInfo]

    def __init__(self, options: O, root: Path | None, cache: Path) -> None:
        self.options = options
        self.root = root
        self.cache = cache

    @abstractmethod
    def cases(self) -> Sequence[Case]:
        """Return all cases, ordered; raises `InputError` naming every problem of the layout.

        Checks that files exist; does not decode images (`uda_study.data.prepare` does).
        """

    @abstractmethod
    def preprocessing(self) -> Preprocessing:
        """Return the preset of the dataset; a study may override each field."""
