"""What all rules share."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from uda_study.claims.evidence import Arm, Evidence
from uda_study.claims.finding import Finding


class Terms(NamedTuple):
    """Conditions in words, as they follow on "if"."""

    reproduced: str
    contradicted: str


class Part(BaseModel):
    """Plain values of a rule."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(Part):
    """Thresholds as data, fixed before anything is trained.

    ``seeds`` are those that every arm needs a finished training of.
    """

    seeds: tuple[int, ...] = Field(min_length=2)

    @property
    @abstractmethod
    def arms(self) -> tuple[Arm, ...]:
        """What the rule compares."""

    @property
    @abstractmethod
    def terms(self) -> Terms:
        """When the rule gives which verdict, with its thresholds; else it is inconclusive."""

    @abstractmethod
    def judge(self, evidence: Evidence) -> Finding:
        """Return the verdict with its figures.

        Raises `uda_study.claims.evidence.NotMeasured` where something is missing.
        """
