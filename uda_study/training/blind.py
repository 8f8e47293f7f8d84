"""Scores of a model that no target label enters: what searches maximise."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from uda_study import plugins
from uda_study.data.labels import LabelReader
from uda_study.data.probe import sample_labelled, sample_probe
from uda_study.files import write_whole
from uda_study.method import AdaptsSegmenter, Batch, Criticises, Method, Translates
from uda_study.nets.segmenter import Segmenter, State
from uda_study.training.step import derive_seed
from uda_study.training.task_data import TaskData
from uda_study.types import Role
from uda_study.validator import Labelled, Probe, Seen, Validator
from uda_study.validators._blind import TERMS, blind_score

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
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps({"lower": anchors.lower, "upper": anchors.upper}))
            return anchors


class BlindScorer:
    """Scores one model on a fixed subsample of target adaptation images, without their labels.

    Source images and labels are seen as well: those of ``source_train`` and ``source_val``.
    """

    def __init__(
        self, method: Method[Any], data: TaskData, device: torch.device, images: int, seed: int
    ) -> None:
        self.method = method
        self.device = device
        self.data = data
        self.seed = derive_seed(seed, "probe")
        self.images = images
        self._validators = {
            name: plugins.load("validators", name, Validator)()
            for name in plugins.names("validators")
        }
        self._target = sample_probe(
            data.cases("target_adapt"), data.task, data.adjacent_slices, images, self.seed
        ).to(device)
        self._training, self._validation = (
            self._labelled(role) for role in ("source_train", "source_val")
        )

    def scores(
        self, anchors: Anchors | None, batch: Batch | None = None, step: int = 0
    ) -> dict[str, float]:
        """Return ``blind/…`` of the model as it is now; the method is left in eval mode.

        What is not defined for the method, or not finite, is left out.
        ``batch`` is a fixed batch of both domains for the critic of a method that has one.
        """
        self.method.eval()
        probe = self._probe(step)
        values = {name: validator.score(probe) for name, validator in self._validators.items()}
        scores = {f"blind/{name}": v for name, v in values.items() if math.isfinite(v)}
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
        probe = replace(self._probe(0), look=self._looker(method.segment_source))
        at_home = replace(probe, images=self._validation.images)
        return Anchors(
            *({t: self._validators[t].score(view) for t in TERMS} for view in (probe, at_home))
        )

    def _probe(self, step: int) -> Probe:
        method = self.method
        start = method.segment_source if isinstance(method, AdaptsSegmenter) else method.segment
        return Probe(
            images=self._target,
            look=self._looker(method.segment),
            look_source=self._looker(start),
            training=self._training,
            validation=self._validation,
            seed=self.seed,
            spatial_dims=self.data.task.spatial_dims,
            step=step,
            translate=self._in_parts(method.translate) if isinstance(method, Translates) else None,
        )

    def _labelled(self, role: Role) -> Labelled:
        cases = self.data.cases(role)
        reader = LabelReader([c.case.id for c in cases], purpose="blind scores")
        images, labels = sample_labelled(
            cases, reader, self.data.task, self.data.adjacent_slices, self.images, self.seed
        )
        return Labelled(images.to(self.device), labels.to(self.device))

    def _looker(self, segment: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Seen]:
        def look(images: Tensor) -> Seen:
            logits: list[Tensor] = []
            features: list[Tensor] = []
            with _head_inputs(self.method) as latest, torch.inference_mode():
                for part in images.split(_IMAGES_AT_ONCE):
                    logits.append(segment(part).float())
                    features += latest
            means = torch.cat(features) if features else None
            return Seen(torch.softmax(torch.cat(logits), dim=1), means)

        return look

    def _in_parts(self, network: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def apply(images: Tensor) -> Tensor:
            with torch.inference_mode():
                return torch.cat([network(part) for part in images.split(_IMAGES_AT_ONCE)])

        return apply


@contextmanager
def _head_inputs(method: nn.Module) -> Iterator[list[Tensor]]:
    """Keep the mean over each image of what a segmentation network's last layer saw latest.

    Where several networks take part, the one that is applied last counts.
    """
    latest: list[Tensor] = []

    def note(head: nn.Module, given: tuple[State]) -> None:
        del head
        features = given[0][-1]
        latest[:] = [features.float().mean(dim=tuple(range(2, features.dim())))]

    heads = [m.groups[-1] for m in method.modules() if isinstance(m, Segmenter)]
    hooks = [head.register_forward_pre_hook(note) for head in heads]
    try:
        yield latest
    finally:
        for hook in hooks:
            hook.remove()
