"""The port through which a training tells whoever runs it how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Stopped(BaseException):
    """Whoever runs the training has stopped it; no error, so that nobody handles it as one."""


class Reporter(Protocol):
    """Receives the scores of a training; called by every rank, with the same step.

    Rank 0 gives the scores, the others an empty mapping. The call raises `Stopped`, or what its
    framework uses for it, when the training is to end there.
    """

    def report(self, step: int, scores: Mapping[str, float]) -> None:
        """Pass on the scores at a step."""


@dataclass
class MemoryReporter:
    """Keeps the reports in memory, for tests and debugging."""

    reports: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def report(self, step: int, scores: Mapping[str, float]) -> None:
        """Append the report."""
        self.reports.append((step, dict(scores)))
