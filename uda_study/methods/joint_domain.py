"""One segmenter for two domains, on content-only or raw images (Yang et al., MICCAI 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from uda_study.method import Batch, Method, Needs, Stage
from uda_study.parts.disentangling import Disentangling
from uda_study.parts.disentangling_settings import DisentanglingHyper
from uda_study.parts.segmenter_training import SegmenterHyper, SegmenterTraining, Side
from uda_study.types import Task


class JointDomainHyper(DisentanglingHyper):
    """``content: raw`` is the control: the same segmenter on the images as they are.

    The joint segmenter sees ``segmenter.batch_size`` images of each domain in each of
    ``segmenter.steps`` steps, so as many of a domain as a segmenter of that domain alone.
    """

    segmenter: SegmenterHyper = SegmenterHyper(name="unet")
    content: Literal["disentangled", "raw"] = "disentangled"


class JointDomain(Method[JointDomainHyper]):
    """Trains one segmenter on the labels of both domains."""

    Hyper = JointDomainHyper
    needs = Needs(target="labels")
    paper = (
        "Yang et al., Unsupervised domain adaptation via disentangled representations, MICCAI 2019"
    )

    def __init__(self, hyper: JointDomainHyper, task: Task) -> None:
        super().__init__(hyper, task)
        self.segmenter = hyper.segmenter.build(task)
        self.disentangling = Disentangling(hyper, task) if hyper.content == "disentangled" else None
        seen = task
        if self.disentangling is not None:
            seen = replace(task, in_channels=self.disentangling.content_channels)
        self.joint_segmenter = hyper.segmenter.build(seen)

    def stages(self) -> Sequence[Stage]:
        """Return source segmenter (shared), disentangling unless raw, and joint segmenter."""
        training = SegmenterTraining(
            self.joint_segmenter, self.hyper.segmenter, examples=self._both_domains
        )
        return [
            SegmenterTraining(self.segmenter, self.hyper.segmenter).stage(),
            *([] if self.disentangling is None else [self.disentangling.stage()]),
            training.own_stage("joint_segmenter", target="labels"),
        ]

    def segment(self, image: Tensor) -> Tensor:
        """Map target images ``(N, C, *S)`` to logits ``(N, K, *S)``; the caller sets eval mode."""
        logits: Tensor = self.joint_segmenter(self._seen(image, "target"))
        return logits

    def segment_source(self, image: Tensor) -> Tensor:
        """Segment with the segmenter of raw source images."""
        logits: Tensor = self.segmenter(image)
        return logits

    def _seen(self, image: Tensor, side: Side) -> Tensor:
        if self.disentangling is None:
            return image
        return self.disentangling.content_only(image, side)

    def _both_domains(self, batch: Batch) -> tuple[Tensor, Tensor]:
        if self.disentangling is not None:
            self.disentangling.eval()
        with torch.no_grad():
            source = self._seen(batch.source_image, "source")
            target = self._seen(batch.target_image, "target")
        return torch.cat([source, target]), torch.cat([batch.source_label, batch.target_label])
