"""Adaptive batch normalisation: Li et al. (Pattern Recognition 2018)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

import torch
from pydantic import Field, PositiveInt, field_validator
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from uda_study.method import Batch, Hyper, Method, Needs, Player, Stage, Trainable, Update
from uda_study.parts.segmenter_training import SegmenterHyper, SegmenterTraining
from uda_study.types import JSON, Task


class AdaBNHyper(Hyper):
    """How many target images the statistics are taken of: ``steps`` times ``batch_size``."""

    tiny: ClassVar[Mapping[str, JSON]] = {"segmenter.norm": "batch"}

    segmenter: SegmenterHyper = Field(SegmenterHyper(norm="batch"), validate_default=True)
    batch_size: PositiveInt = 8
    steps: PositiveInt = 100

    @field_validator("segmenter")
    @classmethod
    def _has_batch_statistics(cls, segmenter: SegmenterHyper) -> SegmenterHyper:
        if segmenter.norm != "batch":
            raise ValueError(
                "norm must be batch, because adabn adapts nothing but the statistics of batch "
                f"normalisation, got {segmenter.norm}"
            )
        return segmenter


class AdaBN(Method[AdaBNHyper], Trainable):
    """Takes the running statistics of batch normalisation anew, on target images.

    No weight changes. A statistic is the plain mean over all batches, not a moving average; each
    layer is seen behind layers that use the statistics of the batch at hand.
    """

    Hyper = AdaBNHyper
    needs = Needs(target="images")
    paper = "Li et al., Adaptive batch normalization for practical domain adaptation, 2018"

    def __init__(self, hyper: AdaBNHyper, task: Task) -> None:
        super().__init__(hyper, task)
        self.segmenter = hyper.segmenter.build(task)
        self.adapted = copy.deepcopy(self.segmenter)
        for layer in self._layers():
            layer.momentum = None  # PyTorch's way to say: the mean over all batches

    def stages(self) -> Sequence[Stage]:
        """Return the source segmenter's training, shared, and the look at the target."""
        estimate = Stage(
            name="estimate",
            trainable=self,
            steps=self.hyper.steps,
            batch_size=self.hyper.batch_size,
            target="images",
            begin=self._start_from_source,
            whole_batch=True,
        )
        return [SegmenterTraining(self.segmenter, self.hyper.segmenter).stage(), estimate]

    def players(self) -> Mapping[str, Player]:
        """Return no player: nothing is trained."""
        return {}

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Pass one batch of target images through; yields nothing."""
        self.adapted.eval()
        for layer in self._layers():
            layer.train()
        with torch.no_grad():
            self.adapted(draw().target_image)
        yield from ()

    def segment(self, image: Tensor) -> Tensor:
        """Map target images ``(N, C, *S)`` to logits ``(N, K, *S)``; the caller sets eval mode."""
        logits: Tensor = self.adapted(image)
        return logits

    def segment_source(self, image: Tensor) -> Tensor:
        """Segment with the source's statistics."""
        logits: Tensor = self.segmenter(image)
        return logits

    def _start_from_source(self) -> None:
        self.adapted.load_state_dict(self.segmenter.state_dict())
        for layer in self._layers():
            layer.reset_running_stats()

    def _layers(self) -> list[_BatchNorm]:
        return [module for module in self.adapted.modules() if isinstance(module, _BatchNorm)]
