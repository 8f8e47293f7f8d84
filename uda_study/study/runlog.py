"""The port through which a running study writes down what happens; `tracking` implements it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from uda_study.study.trial import Cell, TrialResult, TrialSpec
from uda_study.types import JSON

StudyStatus = Literal["complete", "interrupted", "terminated", "failed", "budget"]


class RunLog(Protocol):
    """Receives everything in the driver process; calls are cheap, writes are batched behind them.

    Every call is idempotent by study, cell and trial key, so a resumed study may repeat itself.
    """

    def open(
        self, study: str, folder: Path, cells: Sequence[Cell], tags: Mapping[str, str]
    ) -> None:
        """Start or continue the study whose resolved files lie in ``folder``."""

    def trial_started(self, spec: TrialSpec, params: Mapping[str, JSON]) -> None:
        """Note that a training runs, with all its hyperparameters (dotted, defaults included)."""

    def trial_reported(self, spec: TrialSpec, step: int, scores: Mapping[str, float]) -> None:
        """Note scores at a step; repeats of a step change nothing."""

    def trial_finished(self, spec: TrialSpec, result: TrialResult, folder: Path) -> None:
        """Note the end of a training whose artifacts lie in ``folder``."""

    def model_dropped(self, spec: TrialSpec, folder: Path) -> None:
        """Note that the model of a finished training is kept no longer; its scores are."""

    def close(self, status: StudyStatus) -> None:
        """Write what is left; runs that did not finish are marked killed."""
