"""Cells, the trainings they ask for, and what came out of one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Literal

from uda_study.types import JSON, Direction

Kind = Literal["search", "confirm", "baseline"]
Status = Literal["complete", "pruned", "diverged", "failed"]


@dataclass(frozen=True)
class Cell:
    """One point of the matrix: an own search with the same budget as every other cell.

    ``key`` is what tables and commands show, such as ``depth=5 direction=mr->ct``; ``factors``
    are the matrix's values in the file's order, ``constants`` the hyperparameters (dotted names)
    that the factors and the fixed values give.
    """

    key: str
    method: str
    direction: Direction
    factors: Mapping[str, JSON]
    constants: Mapping[str, JSON]


@dataclass(frozen=True)
class TrialSpec:
    """One training, wholly determined; equal specs have equal keys and are never run twice.

    ``params`` are the dotted hyperparameters given by search, factors and fixed values; all others
    keep the method's defaults.
    """

    study: str
    kind: Kind
    cell: str
    number: int
    method: str
    direction: str
    fold: int
    seed: int
    params: Mapping[str, JSON]

    @cached_property
    def key(self) -> str:
        """A short content hash: the name of the trial's folder and of its MLflow run."""
        # Asked for at every event of every training that runs beside.
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, JSON]:
        """Return plain values; `from_json` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, JSON]) -> TrialSpec:
        """Rebuild the spec from `to_json`."""
        return cls(**values)  # type: ignore[arg-type]


@dataclass(frozen=True)
class TrialResult:
    """How a training ended: its last scores (``blind/…``, ``oracle/…``, ``test/…``, ``cost/…``)."""

    key: str
    status: Status
    step: int
    scores: Mapping[str, float] = field(default_factory=dict)
    message: str | None = None
