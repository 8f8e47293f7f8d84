"""The port through which a training tells whoever runs it how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Reporter(Protocol):
    """Receives the scores of a training; called by every rank, with the same step.

    Rank 0 gives the scores, the others an empty mapping. The call may not return: whoever runs
    the training may stop it there.
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
