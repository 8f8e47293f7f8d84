"""What a training tells of the memory that it takes, and what it does when there is too little."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch

from uda_study.engine.room import Granted
from uda_study.errors import OutOfMemory
from uda_study.training import accelerator
from uda_study.training.reporter import Reporter

T = TypeVar("T")

MOST_PARTS = 8
"""In how many parts a batch is gone through at most: it is halved three times."""


class Told:
    """A reporter that adds to the scores of rank 0 what the training takes of a GPU's memory.

    ``parts``: in how many parts batches are gone through now.
    """

    def __init__(self, reporter: Reporter, device: torch.device, granted: Granted) -> None:
        self.reporter = reporter
        self.device = device
        self.granted = granted
        self.parts = granted.parts

    def begin(self) -> None:
        """Set the limit of this process, and measure its peaks from here on."""
        accelerator.limit(self.device, self.granted.gpu)
        accelerator.begin_peak(self.device)

    def report(self, step: int, scores: Mapping[str, float]) -> None:
        """Pass on the scores at a step; those of other ranks are empty."""
        seen = self.costs() if scores and self.device.type == "cuda" else {}
        self.reporter.report(step, {**scores, **seen})

    def costs(self) -> dict[str, float]:
        """Return peaks, share and parts so far."""
        found = {**accelerator.costs(self.device), "cost/accumulation": float(self.parts)}
        if self.device.type == "cuda":
            found["cost/gpu_share"] = self.granted.gpu
        return found

    def lack(self, error: Exception) -> dict[str, float]:
        """Return the scores of a training that failed: none, unless its GPU was too small."""
        if isinstance(error, OutOfMemory) or accelerator.is_out_of_memory(error):
            return {"cost/out_of_memory": 1.0, **self.costs()}
        return {}


def relieved(work: Callable[[], T], where: str, device: torch.device) -> T:
    """Do what is no training; if the GPU is too small, once more without what training left.

    Raises `OutOfMemory` if it is too small even then.
    """
    try:
        return work()
    except RuntimeError as error:
        if not accelerator.is_out_of_memory(error):
            raise
    accelerator.release(device)
    try:
        return work()
    except RuntimeError as error:
        if not accelerator.is_out_of_memory(error):
            raise
        raise OutOfMemory(where, divisible=False) from error
