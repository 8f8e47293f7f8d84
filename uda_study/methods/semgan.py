"""Translation of images with whole classes left out: Cherian and Sullivan, WACV 2019."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from uda_study.errors import InputError
from uda_study.method import Batch, Method, Needs, Player, Stage, Trainable, Update
from uda_study.parts.renormalising import Labelled, SegmentedCycle, SegmentedCycleHyper
from uda_study.parts.segmenter_training import SegmenterTraining
from uda_study.types import JSON, Task

_FEWEST_CLASSES = 3


class SemganHyper(SegmentedCycleHyper):
    """Adds the probability that a pair of images shows only some of the classes it shares."""

    semantic_dropout: float = Field(0.3, ge=0, le=1)
    tiny: ClassVar[Mapping[str, JSON]] = {"semantic_dropout": 0.0}


class Semgan(Method[SemganHyper], Trainable):
    """Translates as s_cyclegan does, on images that lack some of their classes.

    A segmenter of either domain, trained along on labels of both, has to find the same structures
    in translated images; some pairs of images show only some of their classes.
    """

    Hyper = SemganHyper
    needs = Needs(target="labels", translation="target->source")
    paper = "Cherian and Sullivan, Sem-GAN: Semantically-consistent image translation, WACV 2019"

    def __init__(self, hyper: SemganHyper, task: Task) -> None:
        super().__init__(hyper, task)
        if hyper.semantic_dropout > 0 and task.num_classes < _FEWEST_CLASSES:
            raise InputError.of(
                "semantic_dropout",
                "needs two structures or more: without the only one an image shows no anatomy",
                hyper.semantic_dropout,
                "label more structures, or choose s_cyclegan, which leaves nothing out",
            )
        self.segmenter = hyper.segmenter.build(task)
        self.cycle = SegmentedCycle(hyper, task)

    def stages(self) -> Sequence[Stage]:
        """Return the source segmenter's training, shared, and that of the translation."""
        translate = Stage(
            name="translate",
            trainable=self,
            steps=self.hyper.steps,
            batch_size=self.hyper.batch_size,
            target="labels",
        )
        return [SegmenterTraining(self.segmenter, self.hyper.segmenter).stage(), translate]

    def players(self) -> Mapping[str, Player]:
        """Return ``discriminators`` and ``generators``, each with Adam."""
        return self.cycle.players()

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Yield a step of the generators and segmenters, then one of the discriminators."""
        batch = draw()
        kept = kept_classes(
            batch.source_label,
            batch.target_label,
            self.task.num_classes,
            self.hyper.semantic_dropout,
        )
        yield from self.cycle.updates(
            _only(kept, batch.source_image, batch.source_label),
            _only(kept, batch.target_image, batch.target_label),
        )

    def segment(self, image: Tensor) -> Tensor:
        """Translate target images ``(N, C, *S)`` and segment: logits ``(N, K, *S)``."""
        return self.segment_source(self.translate(image))

    def segment_source(self, image: Tensor) -> Tensor:
        """Segment with the source segmenter, without translation."""
        logits: Tensor = self.segmenter(image)
        return logits

    def translate(self, image: Tensor) -> Tensor:
        """Give target images the source's appearance."""
        translated: Tensor = self.cycle.to_source(image)[0]
        return translated

    def restore(self, image: Tensor) -> Tensor:
        """Give source images the target's appearance."""
        restored: Tensor = self.cycle.to_target(image)[0]
        return restored

    def critic_distance(self, batch: Batch) -> Tensor:
        """Return how well the discriminator tells source images from translated ones."""
        return self.cycle.distance(batch.source_image, batch.target_image)


def kept_classes(source: Tensor, target: Tensor, num_classes: int, probability: float) -> Tensor:
    """Draw which classes each pair of labels ``(N, *S)`` keeps: ``(N, K)``, True for kept.

    With the given probability, a pair that shares k classes keeps those that k draws with
    replacement from them find, at least one; otherwise it keeps all, shared or not.
    """
    shared = _present(source, num_classes) & _present(target, num_classes)
    number = shared.sum(1, keepdim=True)
    draws = torch.rand(shared.shape, device=shared.device)
    place = (draws * number).long()
    place[torch.arange(num_classes, device=shared.device) >= number] = -1
    place_of_class = torch.where(shared, shared.cumsum(1) - 1, num_classes)
    drawn = (place_of_class.unsqueeze(2) == place.unsqueeze(1)).any(2)
    drops = torch.rand_like(draws[:, :1]) < probability
    return torch.where(drops & (number > 0), drawn, torch.ones_like(drawn))


def _present(label: Tensor, num_classes: int) -> Tensor:
    classes = torch.arange(num_classes, device=label.device)
    return (label.flatten(1).unsqueeze(2) == classes).any(1)


def _only(kept: Tensor, image: Tensor, label: Tensor) -> Labelled:
    voxels = torch.gather(kept, 1, label.flatten(1)).view_as(label).unsqueeze(1).to(image.dtype)
    return Labelled(image * voxels, label, voxels)
