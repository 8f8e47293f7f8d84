"""Whole volumes through the image translation of a method that has one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uda_study.data.labels import LabelReader
from uda_study.data.prepare import PreparedCase
from uda_study.data.windows import translate_volume
from uda_study.method import Restores, Translates
from uda_study.training.task_data import TaskData

Volume = NDArray[np.float32]


@dataclass(frozen=True)
class Passes:
    """What else a translation does besides translating one target case.

    Volumes ``(C, X, Y, Z)`` lie on the study's grid: ``cycled`` is the target case translated and
    restored, None where the method does not restore; ``identity`` is ``source`` translated, which
    a good translation leaves as it is. ``source_truth`` lies on the native grid of the source.
    """

    cycled: Volume | None
    source: PreparedCase
    source_truth: NDArray[np.uint8]
    identity: Volume


class Translator:
    """Applies a trained translation to cases, one at a time."""

    def __init__(self, method: Translates, data: TaskData, device: torch.device) -> None:
        self.method = method
        self.data = data
        self.device = device

    def translate(self, prepared: PreparedCase) -> Volume:
        """Return the case in the source's appearance, on the study's grid."""
        return self._sweep(prepared, self.method.translate)

    def passes(self, prepared: PreparedCase, number: int) -> Passes:
        """Return the other passes, with the ``number``-th case of the source's validation."""
        method = self.method
        cycled = None
        if isinstance(method, Restores):
            restore = method.restore
            cycled = self._sweep(prepared, lambda image: restore(method.translate(image)))
        candidates = self.data.cases("source_val")
        source = candidates[number % len(candidates)]
        reader = LabelReader([source.case.id], purpose="pictures of the source")
        return Passes(cycled, source, reader.read_native(source), self.translate(source))

    def _sweep(self, prepared: PreparedCase, mapping: Callable[[Tensor], Tensor]) -> Volume:
        return translate_volume(
            prepared.image,
            mapping,
            self.data.task,
            self.data.adjacent_slices,
            device=self.device,
        )
