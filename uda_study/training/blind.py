"""Scores of a model that no target label enters: what searches maximise."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from uda_study import plugins
from uda_study.data.windows import sample_probe
from uda_study.method import AdaptsSegmenter, Batch, Criticises, Method
from uda_study.metric import Probe, Validator
from uda_study.training.step import derive_seed
from uda_study.training.task_data import TaskData
from uda_study.validators._blind import blind_score

# Bounds the memory of a network's features; the probe itself is small.
_IMAGES_AT_ONCE = 8


@dataclass(frozen=True)
class Anchors:
    """The validators' values of the unadapted source model: on the target, on source validation.

    They are 0 and 1 of ``blind/score``.
    """

    lower: Mapping[str, float]
    upper: Mapping[str, float]

    @classmethod
    def cached(cls, path: Path, compute: Callable[[], Anchors | None]) -> Anchors | None:
        """Read the anchors, or compute and store them, if there are any."""
        try:
            stored = json.loads(path.read_text())
            return cls(stored["lower"], stored["upper"])
        except (OSError, ValueError, KeyError):
            anchors = compute()
            if anchors is None:
                return None
            draft = path.with_suffix(f".{os.getpid()}")
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps({"lower": anchors.lower, "upper": anchors.upper}))
            draft.replace(path)
            return anchors


class BlindScorer:
    """Scores one model on a fixed subsample of target adaptation images, without labels."""

    def __init__(
        self, method: Method[Any], data: TaskData, device: torch.device, images: int, seed: int
    ) -> None:
        self.method = method
        self.device = device
        self.data = data
        self.seed = derive_seed(seed, "probe")
        self.images = images
        self._target = self._sample("target_adapt")
        self._validators = {
            name: plugins.load("validators", name, Validator)()
            for name in plugins.names("validators")
        }

    def scores(self, anchors: Anchors | None, batch: Batch | None = None) -> dict[str, float]:
        """Return ``blind/…`` of the model as it is now; the method is left in eval mode.

        ``batch`` is a fixed batch of both domains for the critic of a method that has one.
        """
        self.method.eval()
        values = self._validate(self._target, self.method.segment)
        scores = {f"blind/{name}": value for name, value in values.items()}
        if anchors is not None:
            scores["blind/score"] = blind_score(values, anchors.lower, anchors.upper)
        if batch is not None and isinstance(self.method, Criticises):
            with torch.no_grad():
                scores["blind/critic_w"] = -float(self.method.critic_distance(batch))
        return scores

    def anchors(self) -> Anchors | None:
        """Return the anchors of a method that starts from a source segmenter, else None."""
        method = self.method
        if not isinstance(method, AdaptsSegmenter):
            return None
        method.eval()
        return Anchors(
            lower=self._validate(self._target, method.segment_source),
            upper=self._validate(self._sample("source_val"), method.segment_source),
        )

    def _sample(self, role: str) -> Tensor:
        cases = self.data.cases(role)  # type: ignore[arg-type]
        return sample_probe(
            cases, self.data.task, self.data.adjacent_slices, self.images, self.seed
        ).to(self.device)

    def _validate(self, images: Tensor, segment: Callable[[Tensor], Tensor]) -> dict[str, float]:
        def predict(image: Tensor) -> Tensor:
            with torch.inference_mode():
                parts = [segment(part).float() for part in image.split(_IMAGES_AT_ONCE)]
                return torch.softmax(torch.cat(parts), dim=1)

        probe = Probe(images, predict, self.seed, self.data.task.spatial_dims)
        return {name: validator.score(probe) for name, validator in self._validators.items()}
