"""What a study may take, and whether it has taken it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from uda_study.study.duration import seconds as parse_duration
from uda_study.study.model import BudgetSpec

_HOUR = 3600.0


@dataclass
class Budget:
    """Limits on the wall time of this run and on its GPU hours; None where there is none.

    GPU time is charged when a training ends, from the seconds that it took.
    """

    deadline: float | None = None
    gpu_seconds: float | None = None
    gpus_per_training: float = 0.0

    @classmethod
    def of(cls, spec: BudgetSpec, gpus_per_training: float) -> Budget:
        """Start the clock of the study's limits."""
        deadline = None if spec.time is None else time.monotonic() + parse_duration(spec.time)
        gpu_seconds = None if spec.gpu_hours is None else spec.gpu_hours * _HOUR
        return cls(deadline, gpu_seconds, gpus_per_training)

    def charge(self, seconds: float) -> None:
        """Take the GPU time of a training that took so many seconds."""
        if self.gpu_seconds is not None:
            self.gpu_seconds -= seconds * self.gpus_per_training

    @property
    def spent(self) -> bool:
        """Whether one of the limits is reached."""
        late = self.deadline is not None and time.monotonic() > self.deadline
        return late or (self.gpu_seconds is not None and self.gpu_seconds <= 0)
