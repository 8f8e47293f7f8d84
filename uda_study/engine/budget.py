"""What a study may take, and whether it has taken it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from uda_study.files import write_whole
from uda_study.study.duration import seconds as parse_duration
from uda_study.study.model import BudgetSpec

USAGE = "usage.json"
_HOUR = 3600.0


@dataclass
class Budget:
    """Limits on the wall time of this run and on the study's GPU hours; None where there is none.

    GPU time runs from when a training is handed out until it ends, for as many GPUs as it has. What
    was used is written to ``usage`` at every report, so that it counts in later runs; a crash
    forgets at most what came after a training's last report.
    """

    deadline: float | None = None
    gpu_seconds: float | None = None
    usage: Path | None = None
    used: float = 0.0
    clock: Callable[[], float] = time.monotonic
    _since: dict[str, float] = field(default_factory=dict)
    _gpus: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: BudgetSpec, usage: Path, before: float = 0.0) -> Budget:
        """Start the clock of the study's limits.

        ``before`` is the GPU time in seconds of earlier runs, for where ``usage`` does not tell it.
        """
        deadline = None if spec.time is None else time.monotonic() + parse_duration(spec.time)
        gpu_seconds = None if spec.gpu_hours is None else spec.gpu_hours * _HOUR
        used = used_gpu_seconds(usage)
        return cls(deadline, gpu_seconds, usage, before if used is None else used)

    def begin(self, key: str, gpus: float) -> None:
        """Start charging a training for so many GPUs."""
        self._since[key], self._gpus[key] = self.clock(), gpus

    def charge(self, key: str) -> None:
        """Take the time of a training since it was charged last."""
        if key in self._since:
            now = self.clock()
            self.used += (now - self._since[key]) * self._gpus[key]
            self._since[key] = now
            if self.usage is not None and self._gpus[key]:
                write_whole(self.usage, json.dumps({"gpu_seconds": round(self.used, 3)}) + "\n")

    def end(self, key: str) -> None:
        """Take what is left of a training's time, and charge it no longer."""
        self.charge(key)
        self._since.pop(key, None)
        self._gpus.pop(key, None)

    @property
    def spent(self) -> bool:
        """Whether one of the limits is reached; what runs counts up to this moment."""
        now = self.clock()
        if self.deadline is not None and now > self.deadline:
            return True
        if self.gpu_seconds is None:
            return False
        running = sum((now - since) * self._gpus[key] for key, since in self._since.items())
        return self.used + running >= self.gpu_seconds


def used_gpu_seconds(usage: Path) -> float | None:
    """Return the GPU time that the runs of a study have used so far, None where it is not known."""
    try:
        return float(json.loads(usage.read_text(encoding="utf-8"))["gpu_seconds"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
