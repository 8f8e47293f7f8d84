"""Adversarial alignment of features, trained with the segmentation: Kamnitsas et al. (IPMI 2017).

It is the feature-level comparison of Chen et al. (MLMI 2018), the paper of SeUDA.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal

import torch
from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
)
from torch import Tensor
from torch.optim import Adam

from uda_study.errors import InputError
from uda_study.losses.adversarial import least_squares_critic, log_critic, separation
from uda_study.method import Batch, Hyper, Method, Needs, Player, Stage, Trainable, Update
from uda_study.parts.feature_critic import CriticHyper, View
from uda_study.parts.optimisation import Schedule, cosine, stepped
from uda_study.parts.segmenter_training import (
    SegmenterHyper,
    SegmenterTraining,
    supervised_losses,
)
from uda_study.parts.seuda_settings import SEGMENTER
from uda_study.types import JSON, Task


class OptimHyper(Hyper):
    """Adam of segmenter and critic."""

    lr: PositiveFloat = 1e-4
    critic_lr: PositiveFloat = 1e-4
    beta1: float = Field(0.9, ge=0, lt=1)
    schedule: Literal["constant", "cosine"] = "constant"


class AlignHyper(Hyper):
    """How the domains are brought together.

    ``opponent``: the segmenter ``maximise``s the critic's loss, or minimises it with ``inverted``
    domains, whose gradient does not vanish where the critic is sure.
    """

    type: Literal["log", "least_squares"] = "log"
    opponent: Literal["maximise", "inverted"] = "maximise"
    start: NonNegativeInt = Field(2_000, description="joint updates without the adversarial loss")
    ramp: NonNegativeInt = Field(5_000, description="joint updates over which its weight rises")


class FeatureDaHyper(Hyper):
    """``start`` is where the adapted segmenter begins: the source's weights, or new ones.

    ``steps`` are joint updates; epochs 10 and 35, between which the published weight rises, stand
    at a fifth and seven tenths of them.
    """

    tiny: ClassVar[Mapping[str, JSON]] = {
        "segmenter.name": "dilated_fcn",
        "align.start": 0,
        "align.ramp": 1,
    }

    segmenter: SegmenterHyper = SEGMENTER
    adversarial_weight: PositiveFloat = 0.05
    align: AlignHyper = AlignHyper()
    critic: CriticHyper = Field(
        CriticHyper(input="pool", steps=1, growth=0, warm_up=0), validate_default=True
    )
    optim: OptimHyper = OptimHyper()
    start: Literal["source", "new"] = "source"
    batch_size: PositiveInt = 10
    steps: PositiveInt = 10_000

    @field_validator("critic")
    @classmethod
    def _levels_end_groups(cls, critic: CriticHyper, info: ValidationInfo) -> CriticHyper:
        if "segmenter" in info.data:
            try:
                _levels(critic, info.data["segmenter"])
            except InputError as error:
                (problem,) = error.problems
                raise ValueError(f"{problem.rule} or a group's name, got {problem.value}") from None
        return critic


def _levels(critic: CriticHyper, segmenter: SegmenterHyper) -> tuple[int, ...]:
    """Return what the critic sees; by default at a third of the depth, at two, and at the end."""
    network = segmenter.network
    return critic.level_groups(network, max(1, (len(network.group_ends) - 1) // 3))


class FeatureDa(Method[FeatureDaHyper], Trainable):
    """Trains a segmenter on source labels while its features hide the domain from a critic.

    All layers adapt, and one network serves both domains: the critic tells features of source
    images from those of target images in the same segmenter.
    """

    Hyper = FeatureDaHyper
    needs = Needs(target="images")
    paper = (
        "Kamnitsas et al., Unsupervised domain adaptation in brain lesion segmentation with "
        "adversarial networks, IPMI 2017; the comparison in Chen et al., MLMI 2018"
    )

    def __init__(self, hyper: FeatureDaHyper, task: Task) -> None:
        super().__init__(hyper, task)
        self.segmenter = hyper.segmenter.build(task)
        self.adapted = copy.deepcopy(self.segmenter)
        self.levels = _levels(hyper.critic, hyper.segmenter)
        self.critic = hyper.critic.build(self.segmenter, self.levels, task)
        self.steps_done: Tensor
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.int64))

    def stages(self) -> Sequence[Stage]:
        """Return the source segmenter's training, shared, and the joint training."""
        adapt = Stage(
            name="adapt",
            trainable=self,
            steps=self.hyper.critic.warm_up + self.hyper.steps,
            batch_size=self.hyper.batch_size,
            target="images",
            begin=self._begin,
        )
        return [SegmenterTraining(self.segmenter, self.hyper.segmenter).stage(), adapt]

    def players(self) -> Mapping[str, Player]:
        """Return ``critic`` and ``segmenter``, each with Adam and the same schedule."""
        optim, total = self.hyper.optim, self.hyper.critic.warm_up + self.hyper.steps
        factor = cosine(total) if optim.schedule == "cosine" else stepped(1.0, every=1)
        players = {}
        for name, module, lr in (
            ("critic", self.critic, optim.critic_lr),
            ("segmenter", self.adapted, optim.lr),
        ):
            optimiser = Adam(module.parameters(), lr=lr, betas=(optim.beta1, 0.999), fused=True)
            players[name] = Player(optimiser, Schedule(optimiser, factor))
        return players

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Yield the critic's steps and, after its warm-up, one of the segmenter."""
        align, critic = self.hyper.align, self.hyper.critic
        joint_updates = int(self.steps_done) - critic.warm_up
        self.train()
        for _ in range(critic.steps_at(joint_updates)):
            batch = draw()
            with torch.no_grad():
                source, target = self._view(batch.source_image), self._view(batch.target_image)
            loss = _CRITIC_LOSS[align.type](self.critic(*source), self.critic(*target))
            yield Update("critic", {align.type: loss})
        if joint_updates >= 0:
            batch = draw()
            source, target = self._view(batch.source_image), self._view(batch.target_image)
            losses = supervised_losses(source.logits, batch.source_label, self.hyper.segmenter)
            losses[align.type] = self._weight(joint_updates) * self._opposed(source, target)
            yield Update("segmenter", losses)
        self.steps_done += 1

    def segment(self, image: Tensor) -> Tensor:
        """Map target images ``(N, C, *S)`` to logits ``(N, K, *S)``; the caller sets eval mode."""
        logits: Tensor = self.adapted(image)
        return logits

    def segment_source(self, image: Tensor) -> Tensor:
        """Segment with the segmenter that was trained on the source alone."""
        logits: Tensor = self.segmenter(image)
        return logits

    def critic_distance(self, batch: Batch) -> Tensor:
        """Return E[D(source)] - E[D(target)] in units of the critic's spread within a domain."""
        source = self.critic(*self._view(batch.source_image))
        target = self.critic(*self._view(batch.target_image))
        return separation(source, target)

    def _begin(self) -> None:
        """Start from the source's weights, or draw new ones as the source segmenter's were."""
        self.steps_done.zero_()
        if self.hyper.start == "source":
            self.adapted.load_state_dict(self.segmenter.state_dict())
            return
        begin = SegmenterTraining(self.adapted, self.hyper.segmenter).stage().begin
        if begin is not None:
            begin()

    def _weight(self, joint_updates: int) -> float:
        """Return the adversarial weight, which waits and then rises linearly."""
        align = self.hyper.align
        waited = joint_updates - align.start
        risen = min(1.0, waited / align.ramp) if align.ramp else 1.0
        return self.hyper.adversarial_weight * risen if waited >= 0 else 0.0

    def _opposed(self, source: View, target: View) -> Tensor:
        scores = self.critic(*source), self.critic(*target)
        loss = _CRITIC_LOSS[self.hyper.align.type]
        return -loss(*scores) if self.hyper.align.opponent == "maximise" else loss(*scores[::-1])

    def _view(self, image: Tensor) -> View:
        states = self.adapted.run((image,), 0, self.adapted.num_groups)
        return View.of(states, self.levels)


_CRITIC_LOSS = {"log": log_critic, "least_squares": least_squares_critic}
