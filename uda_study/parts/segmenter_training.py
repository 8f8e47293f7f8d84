"""Supervised training of a segmenter on one domain: the first stage of most methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    model_validator,
)
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer

from uda_study.errors import InputError
from uda_study.losses.segmentation import cross_entropy, soft_dice
from uda_study.method import (
    Batch,
    Hyper,
    Player,
    SourceAugmentation,
    Stage,
    Trainable,
    Update,
)
from uda_study.nets.layers import NormName
from uda_study.nets.segmenter import Segmenter, SegmenterDesign
from uda_study.nets.segmenters import SEGMENTERS, SegmenterName
from uda_study.parts.optimisation import (
    Schedule,
    cosine,
    decay_convolutions,
    stepped,
)
from uda_study.types import JSON, Supervision, Task

Side = Literal["source", "target"]
Examples = Callable[[Batch], tuple[Tensor, Tensor]]
"""What a segmenter is shown of a batch: images ``(N, C, *S)`` and labels ``(N, *S)``."""

_MOMENTUM = 0.9


class SegmenterHyper(Hyper):
    """Which segmenter, and how it is trained; the defaults are those of Dou et al. (2018).

    ``width`` and ``dropout`` are by default the published ones of the named network.
    ``norm: instance`` departs from their batch normalisation, so that several ranks give the same
    result as one; ``norm: batch`` is the published one. Steps are not published: the public code's
    loop ends at 50,000, the learning rate's decay makes 30,000 (a factor of .36) a full training.
    """

    name: SegmenterName = "dilated_resnet"
    width: PositiveInt = SEGMENTERS["dilated_resnet"].default_width
    norm: NormName = "instance"
    dropout: float = Field(SEGMENTERS["dilated_resnet"].default_dropout, ge=0, lt=1)
    steps: PositiveInt = 30_000
    batch_size: PositiveInt = 5
    optimiser: Literal["adam", "sgd"] = Field("adam", description="sgd has a momentum of .9")
    lr: PositiveFloat = 1e-3
    schedule: Literal["stepped", "cosine", "constant"] = "stepped"
    decay: float = Field(0.95, gt=0, le=1, description="factor of schedule 'stepped'")
    decay_every: PositiveInt = Field(1500, description="steps between two decays")
    weight_decay: NonNegativeFloat = Field(1e-4, description="L2 of convolution weights")
    dice_weight: NonNegativeFloat = Field(1.0, description="lambda of eq. 1")
    class_weights: Literal["frequency", "none"] = "frequency"
    augmentation: SourceAugmentation = Field("study", description="of labelled source images")

    @model_validator(mode="wrap")
    @classmethod
    def _fill_in_the_network(cls, values: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        if not (isinstance(values, Mapping) and values.get("name") in SEGMENTERS):
            return build(values)
        network = SEGMENTERS[values["name"]]
        published = {"width": network.default_width, "dropout": network.default_dropout}
        made = build({**published, **values})
        # Nobody chose what was filled in: another network brings its own.
        made.model_fields_set.difference_update(published.keys() - values.keys())
        return made

    @property
    def network(self) -> type[Segmenter]:
        """The segmenter's class, which knows its depths without being built."""
        return SEGMENTERS[self.name]

    def build(self, task: Task) -> Segmenter:
        """Return a new segmenter; `InputError` if the patch is too small to be normalised."""
        erased = self.network.erased_side
        if self.norm != "none" and max(task.patch_size) <= erased:
            raise InputError.of(
                "data.patch_size",
                f"must exceed {erased} voxels along one side for segmenter {self.name!r}",
                "x".join(map(str, task.patch_size)),
                "use larger patches or another segmenter.name",
            )
        return self.network(
            SegmenterDesign(
                task.spatial_dims,
                task.in_channels,
                task.num_classes,
                self.width,
                self.norm,
                self.dropout,
            )
        )


class SegmenterTraining(Trainable):
    """Minimises cross-entropy and soft Dice (eq. 1) on the labelled images of one domain.

    ``examples`` replaces the domain's images by others, such as translated ones; what it needs
    besides the batch is not trained.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        hyper: SegmenterHyper,
        side: Side = "source",
        examples: Examples | None = None,
    ) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.hyper = hyper
        self.side: Side = side
        self.examples = examples or _EXAMPLES[side]

    def stage(self) -> Stage:
        """Return the training on the domain's images, shared by all that have equal settings."""
        return Stage(
            name=f"{self.side}_segmenter",
            trainable=self,
            steps=self.hyper.steps,
            batch_size=self.hyper.batch_size,
            target="none" if self.side == "source" else "labels",
            shared=self.shared_key(),
            begin=self._initialise,
            augmentation=self._augmentation(),
        )

    def own_stage(
        self, name: str, target: Supervision, begin: Callable[[], None] | None = None
    ) -> Stage:
        """Return a training that belongs to one method; ``begin`` replaces new initial weights."""
        return Stage(
            name=name,
            trainable=self,
            steps=self.hyper.steps,
            batch_size=self.hyper.batch_size,
            target=target,
            begin=begin or self._initialise,
            augmentation=self._augmentation(),
        )

    def _augmentation(self) -> SourceAugmentation:
        """Augment the source where it is shown as it is: a translator learnt from such images."""
        shown = self.examples is _EXAMPLES["source"]
        return self.hyper.augmentation if shown else "none"

    def _initialise(self) -> None:
        """Draw the initial weights anew: what a method builds before it must not decide them."""
        for module in self.segmenter.modules():
            reset = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()

    def shared_key(self) -> dict[str, JSON]:
        """Return everything that the result depends on besides task, data, seed and code.

        What is augmented with is told by the data of the stage.
        """
        return {"side": self.side, **self.hyper.model_dump(mode="json", exclude={"augmentation"})}

    def players(self) -> Mapping[str, Player]:
        """Return the single player ``segmenter``."""
        hyper = self.hyper
        groups = decay_convolutions(self.segmenter.parameters(), hyper.weight_decay)
        optimiser: Optimizer = Adam(groups, lr=hyper.lr, fused=True)
        if hyper.optimiser == "sgd":
            optimiser = SGD(groups, lr=hyper.lr, momentum=_MOMENTUM)
        factor = {
            "stepped": stepped(hyper.decay, hyper.decay_every),
            "cosine": cosine(hyper.steps),
            "constant": stepped(1.0, every=1),
        }[hyper.schedule]
        return {"segmenter": Player(optimiser, Schedule(optimiser, factor))}

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Yield one step on the examples of a batch."""
        self.segmenter.train()
        image, label = self.examples(draw())
        yield Update("segmenter", supervised_losses(self.segmenter(image), label, self.hyper))


def supervised_losses(logits: Tensor, label: Tensor, hyper: SegmenterHyper) -> dict[str, Tensor]:
    """Return the terms of eq. 1 for logits ``(N, K, *S)`` and labels ``(N, *S)``."""
    weighted = hyper.class_weights == "frequency"
    losses = {"cross_entropy": cross_entropy(logits, label, weighted)}
    if hyper.dice_weight > 0:
        losses["dice"] = -hyper.dice_weight * soft_dice(logits, label)
    return losses


def _source_examples(batch: Batch) -> tuple[Tensor, Tensor]:
    return batch.source_image, batch.source_label


def _target_examples(batch: Batch) -> tuple[Tensor, Tensor]:
    return batch.target_image, batch.target_label


_EXAMPLES: Mapping[Side, Examples] = {"source": _source_examples, "target": _target_examples}
