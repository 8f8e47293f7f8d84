"""A domain critic on the features of a segmenter, with its hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from pydantic import Field, ModelWrapValidatorHandler, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor

from uda_study.method import Hyper
from uda_study.nets.critic import CriticDesign, CriticInput, DomainCritic, FeatureLevels
from uda_study.nets.layers import NormName
from uda_study.nets.segmenter import Segmenter, State
from uda_study.types import Task

_COMPACT = {"width": 32, "stages": 2, "norm": "none", "dropout": 0.0}


class CriticHyper(Hyper):
    """What the critic sees, how it is built and how often it is trained.

    The defaults are the published ones of ``input: shuffle``, but for ``norm: instance`` where
    batch normalisation is published; ``input: pool`` brings the defaults of the compact critic
    (width 32, two stages, no norm, no dropout). ``levels`` are depths as in ``depth``; by default
    the network's own choice.
    """

    input: CriticInput = "shuffle"
    width: PositiveInt = Field(64, description="channels of the first stage")
    stages: PositiveInt = Field(4, description="how often the channels double")
    norm: NormName = "instance"
    dropout: float = Field(0.25, ge=0, lt=1)
    levels: tuple[int | str, ...] | None = Field(None, min_length=1)
    steps: PositiveInt = Field(20, description="critic updates per update of its opponent")
    growth: NonNegativeInt = Field(300, description="one more after so many joint updates; 0 never")
    warm_up: NonNegativeInt = Field(20_000, description="critic updates before the first joint one")

    @model_validator(mode="wrap")
    @classmethod
    def _fill_in_the_input(cls, values: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        if not (isinstance(values, Mapping) and values.get("input") == "pool"):
            return build(values)
        made = build({**_COMPACT, **values})
        # Nobody chose what was filled in: another input brings its own.
        made.model_fields_set.difference_update(_COMPACT.keys() - values.keys())
        return made

    def level_groups(self, network: type[Segmenter], replaced: int) -> tuple[int, ...]:
        """Return the groups whose features the critic sees, from shallow to deep.

        Raises `InputError` for a level that is not the end of a group.
        """
        if self.levels is None:
            return network.critic_levels(replaced)
        return tuple(
            sorted({network.resolve_depth(level, "critic.levels") for level in self.levels})
        )

    def steps_at(self, joint_updates: int) -> int:
        """Return the critic's steps in a joint update; one at a time before the first.

        >>> [CriticHyper(steps=5, growth=2).steps_at(update) for update in (-1, 0, 1, 2)]
        [1, 5, 5, 6]
        """
        if joint_updates < 0:
            return 1
        return self.steps + (joint_updates // self.growth if self.growth else 0)

    def build(self, segmenter: Segmenter, groups: tuple[int, ...], task: Task) -> DomainCritic:
        """Return a new critic for the features at the ends of the groups."""
        levels = FeatureLevels(
            size=task.patch_size,
            channels=tuple(segmenter.level_channels[group - 1] for group in groups),
            strides=tuple(segmenter.level_strides[group - 1] for group in groups),
            num_classes=task.num_classes,
        )
        design = CriticDesign(self.input, self.width, self.stages, self.norm, self.dropout)
        return DomainCritic(design, levels)


class View(NamedTuple):
    """What a critic sees of one batch: features of several levels and the logits."""

    features: tuple[Tensor, ...]
    logits: Tensor

    @classmethod
    def of(cls, states: list[State], groups: tuple[int, ...]) -> View:
        """Take the view out of the states after each of a segmenter's groups."""
        return cls(tuple(states[group - 1][-1] for group in groups), states[-1][-1])
