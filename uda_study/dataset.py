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


Intensity = Literal["zscore", "percentile", "none"]
SliceAxis = Literal["axial", "coronal", "sagittal"]


class DomainPreset(BaseModel):
    """What is different in one domain; what is None is as in all domains.

    ``labels`` gives other values to some of the structures. ``spacing`` is for images whose pixels
    have no size, or another one for the same anatomy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: dict[str, tuple[int, ...]] | None = None
    ignore: tuple[int, ...] | None = None
    spacing: tuple[float, float, float] | None = None
    window: tuple[float, float] | None = None
    cut: tuple[float, float] | None = None
    intensity: Intensity | None = None


class Preprocessing(BaseModel):
    """How a case becomes arrays on the study's grid; every field is part of the cache's key.

    ``labels`` maps each structure to the values it has in the label files, e.g.
    ``{tumour: [1, 2, 3, 4]}``; its order gives the classes 1, 2, …; values not named become
    background, and voxels whose value is in ``ignore`` count in no metric. ``spacing`` is in mm
    along the RAS axes (None keeps the native spacing); ``size`` crops or pads around the centre, in
    voxels of that grid. ``slices`` is how 2D networks cut the volume. ``window`` clips the image's
    own values, such as HU, and ``cut`` its percentiles inside the mask, before ``zscore``, which is
    computed inside the mask, or ``percentile``, which maps the given percentiles inside the mask to
    0 and 1, clipped. ``nonfinite: zero`` admits images with NaN or infinite voxels. ``domains``
    says what differs in a domain.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: dict[str, tuple[int, ...]]
    ignore: tuple[int, ...] = ()
    spacing: tuple[float, float, float] | None = None
    size: tuple[int, int, int] | None = None
    slices: SliceAxis = "axial"
    window: tuple[float, float] | None = None
    cut: tuple[float, float] | None = None
    intensity: Intensity = "zscore"
    percentiles: tuple[float, float] = (0.5, 99.5)
    nonfinite: Literal["error", "zero"] = "error"
    domains: dict[str, DomainPreset] = {}

    def of(self, domain: str) -> Preprocessing:
        """Return how the cases of one domain are preprocessed, all differences resolved."""
        own = self.domains.get(domain, DomainPreset())
        changed = {name: value for name, value in own if value is not None}
        if own.labels is not None:
            changed["labels"] = {**self.labels, **own.labels}
        return self.model_copy(update={**changed, "domains": {}})

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
    request: str = Field(description="where the images are asked for")
    tree: str = Field(description="the expected files below the root, one per line")


class PaperProtocol(BaseModel):
    """How the paper that used a dataset dealt its subjects; ``data.split: paper`` in a study file.

    ``val`` and ``test`` are shares of the subjects of each side; with ``val: 0`` the paper had no
    validation. With several folds every subject is tested once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folds: int
    val: float
    test: float
    source: str = Field(description="which paper, and what it says")


O = TypeVar("O", bound=DatasetOptions)  # noqa: E741 - as H in method.py: the options' type


class Dataset(ABC, Generic[O]):
    """Images of several domains on disk; the file name in ``datasets/`` is the key used in YAML.

    ``root`` is where the images lie (None where the dataset makes its own); ``cache`` is a folder
    that the dataset may write to.
    """

    Options: ClassVar[type[DatasetOptions]]
    info: ClassVar[DatasetInfo]
    paper: ClassVar[PaperProtocol | None] = None

    @classmethod
    def paper_protocol(cls, options: O) -> PaperProtocol | None:  # noqa: ARG003 - some depend on it
        """Return the protocol behind ``split: paper`` for these options, None without a paper."""
        return cls.paper

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
