"""The frozen values that all layers share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uda_study.errors import InputError

Supervision = Literal["none", "images", "labels"]
"""What training may read of the target domain: nothing, images only, or images and labels."""

Translation = Literal["none", "target->source", "source->target"]
"""Which way a method translates images, if it does."""

Role = Literal[
    "source_train", "source_val", "source_test", "target_adapt", "target_val", "target_test",
    "target_bound",
]  # fmt: skip
"""What a case is used for. ``target_bound``: labelled target cases for the upper bound alone."""

Protocol = Literal["strict", "transductive", "paper"]
"""How subjects are dealt to roles, see `Split`."""

JSON = str | int | float | bool | None | list["JSON"] | dict[str, "JSON"]


@dataclass(frozen=True, order=True)
class Direction:
    """From which labelled domain to which unlabelled one; written ``mr->ct``.

    >>> Direction.parse("mr->ct")
    Direction(source='mr', target='ct')
    """

    source: str
    target: str

    @classmethod
    def parse(cls, text: str) -> Direction:
        """Read ``source->target``; raises `InputError` for anything else."""
        source, arrow, target = (part.strip() for part in text.partition("->"))
        if not (source and arrow and target) or "->" in target or source == target:
            raise InputError.of(
                "direction",
                "must name two different domains as source->target",
                repr(text),
                "write for example mr->ct",
            )
        return cls(source, target)

    def __str__(self) -> str:
        return f"{self.source}->{self.target}"


@dataclass(frozen=True)
class Task:
    """The segmentation problem as a network sees it.

    ``class_names`` starts with the background; ``patch_size`` has one entry per spatial dimension,
    in voxels of the study's grid whose ``spacing`` is in mm.
    """

    spatial_dims: Literal[2, 3]
    in_channels: int
    class_names: tuple[str, ...]
    patch_size: tuple[int, ...]
    spacing: tuple[float, ...]

    @property
    def num_classes(self) -> int:
        """How many classes the network tells apart, the background among them."""
        return len(self.class_names)


@dataclass(frozen=True)
class Case:
    """One image of one subject in one domain, as files on disk; nothing has been opened yet.

    ``id`` is unique in its dataset and is the alias that every message and table shows.
    ``images`` holds one file per channel; a folder of slices counts as one file. Several label
    files are masks of one structure each: a voxel gets the number, from 1, of the last one that
    holds it. ``split`` pins the case when the data say so.
    """

    id: str
    subject: str
    domain: str
    images: tuple[Path, ...]
    label: Path | tuple[Path, ...] | None = None
    mask: Path | None = None
    split: Literal["train", "val", "test"] | None = None

    @property
    def labels(self) -> tuple[Path, ...]:
        """The label files, none where the case is unlabelled."""
        if self.label is None:
            return ()
        return self.label if isinstance(self.label, tuple) else (self.label,)


@dataclass(frozen=True)
class Split:
    """Which case plays which role in one fold; subjects of different sides are disjoint.

    ``protocol`` is ``strict`` (test images are never trained on), ``transductive`` (the target
    images that are adapted to, without labels, are also the ones tested on; every table says so)
    or ``paper`` (as ``strict``, but a paper that had no validation is validated on its test set).
    """

    direction: Direction
    fold: int
    protocol: Protocol
    roles: Mapping[Role, tuple[str, ...]]
    sha256: str
