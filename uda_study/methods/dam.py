"""Adversarial adaptation of the early layers: DAM and DCM of Dou et al. (IJCAI 2018)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal

import torch
from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
)
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import RMSprop

from uda_study.errors import InputError
from uda_study.losses.adversarial import (
    least_squares_critic,
    least_squares_generator,
    separation,
    wasserstein_critic,
    wasserstein_generator,
)
from uda_study.method import Batch, Hyper, Method, Needs, Player, Stage, Trainable, Update
from uda_study.nets.critic import clip_weights_
from uda_study.nets.segmenter import run_groups
from uda_study.parts.feature_critic import CriticHyper, View
from uda_study.parts.optimisation import Schedule, decay_convolutions, stepped
from uda_study.parts.segmenter_training import SegmenterHyper, SegmenterTraining
from uda_study.types import JSON, Task


class OptimHyper(Hyper):
    """RMSProp of adapter and critic; ``alpha`` and ``eps`` are TensorFlow's, as published.

    The L2 term belongs to the loss that ``adversarial_weight`` scales, and the critic's share is
    spread over its steps: both are facts of the published code.
    """

    lr: PositiveFloat = 3e-4
    alpha: float = Field(0.9, gt=0, lt=1)
    eps: PositiveFloat = 1e-10
    decay: float = Field(0.98, gt=0, le=1)
    decay_every: PositiveInt = Field(100, description="joint updates between two decays")
    weight_decay: NonNegativeFloat = 1e-4


class AlignHyper(Hyper):
    """How the domains are brought together; ``clip`` bounds a Wasserstein critic's weights."""

    type: Literal["wasserstein", "least_squares"] = "wasserstein"
    clip: PositiveFloat = 0.03


class DamHyper(Hyper):
    """``depth`` counts convolutions (13, 21, 31 in the paper) or names a group (``g6``).

    ``steps`` are joint updates, not published; the learning rate has fallen to .13 at the default.
    """

    tiny: ClassVar[Mapping[str, JSON]] = {"depth": "g4"}

    segmenter: SegmenterHyper = SegmenterHyper()
    depth: int | str = Field(21, validate_default=True)
    adversarial_weight: PositiveFloat = 0.002
    optim: OptimHyper = OptimHyper()
    critic: CriticHyper = Field(CriticHyper(), validate_default=True)
    align: AlignHyper = AlignHyper()
    batch_size: PositiveInt = 6
    steps: PositiveInt = 10_000

    @field_validator("depth")
    @classmethod
    def _depth_ends_a_group(cls, depth: int | str, info: ValidationInfo) -> int | str:
        if "segmenter" in info.data:
            _legal(lambda: info.data["segmenter"].network.resolve_depth(depth))
        return depth

    @field_validator("critic")
    @classmethod
    def _levels_end_groups(cls, critic: CriticHyper, info: ValidationInfo) -> CriticHyper:
        if "segmenter" in info.data:
            _legal(lambda: critic.level_groups(info.data["segmenter"].network, 1))
        return critic


def _legal(resolve: Callable[[], object]) -> None:
    try:
        resolve()
    except InputError as error:
        (problem,) = error.problems
        raise ValueError(f"{problem.rule} or a group's name, got {problem.value}") from error


class Dam(Method[DamHyper], Trainable):
    """Replaces the first groups of a source segmenter by an adapter that fools a critic.

    The critic tells the features of source images in the source segmenter from those of target
    images in the adapter and the shared upper groups. Modes, as published: dropout is active
    in all networks during training; batch normalisation uses the running statistics of source and
    upper groups always, of the adapter except in its own step, and batch statistics in the critic.
    """

    Hyper = DamHyper
    needs = Needs(target="images")
    paper = "Dou et al., Unsupervised cross-modality domain adaptation of ConvNets, IJCAI 2018"

    def __init__(self, hyper: DamHyper, task: Task) -> None:
        super().__init__(hyper, task)
        network = hyper.segmenter.network
        self.replaced = network.resolve_depth(hyper.depth)
        self.levels = hyper.critic.level_groups(network, self.replaced)
        self.segmenter = hyper.segmenter.build(task)
        self.adapter = copy.deepcopy(self.segmenter.groups[: self.replaced])
        self.critic = hyper.critic.build(self.segmenter, self.levels, task)
        self.steps_done: Tensor
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.int64))

    def stages(self) -> Sequence[Stage]:
        """Return the source segmenter's training, shared, and the adaptation."""
        adapt = Stage(
            name="adapt",
            trainable=self,
            steps=self.hyper.critic.warm_up + self.hyper.steps,
            batch_size=self.hyper.batch_size,
            target="images",
            begin=self._start_from_source,
        )
        return [SegmenterTraining(self.segmenter, self.hyper.segmenter).stage(), adapt]

    def players(self) -> Mapping[str, Player]:
        """Return ``critic`` and ``adapter``, each with RMSProp and the stepped decay."""
        optim = self.hyper.optim
        factor = stepped(optim.decay, optim.decay_every, start=self.hyper.critic.warm_up)
        players = {}
        weight_decay = optim.weight_decay * self.hyper.adversarial_weight
        for name, module, share in (
            ("critic", self.critic, weight_decay / self.hyper.critic.steps),
            ("adapter", self.adapter, weight_decay),
        ):
            groups = decay_convolutions(module.parameters(), share)
            optimiser = RMSprop(groups, lr=optim.lr, alpha=optim.alpha, eps=optim.eps)
            players[name] = Player(optimiser, Schedule(optimiser, factor))
        return players

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        """Yield one critic step in the warm-up, then a joint update: critic steps, adapter step.

        Algorithm 1 of Arjovsky et al. (2017): every critic step has a batch of its own.
        """
        align, critic = self.hyper.align, self.hyper.critic
        joint_updates = int(self.steps_done) - critic.warm_up
        for _ in range(critic.steps_at(joint_updates)):
            batch = draw()
            self._set_modes(adapting=False)
            with torch.no_grad():
                source = self._view_source(batch.source_image)
                target = self._view_target(batch.target_image)
            loss = _CRITIC_LOSS[align.type](self.critic(*source), self.critic(*target))
            yield Update("critic", {align.type: self.hyper.adversarial_weight * loss})
            if align.type == "wasserstein":
                clip_weights_(self.critic, align.clip)
        if joint_updates >= 0:
            image = draw().target_image
            self._set_modes(adapting=True)
            loss = _GENERATOR_LOSS[align.type](self.critic(*self._view_target(image)))
            yield Update("adapter", {align.type: self.hyper.adversarial_weight * loss})
        self.steps_done += 1

    def segment(self, image: Tensor) -> Tensor:
        """Map target images ``(N, C, *S)`` to logits ``(N, K, *S)``; the caller sets eval mode."""
        return self._view_target(image).logits

    def segment_source(self, image: Tensor) -> Tensor:
        """Segment with the unadapted source segmenter."""
        logits: Tensor = self.segmenter(image)
        return logits

    def critic_distance(self, batch: Batch) -> Tensor:
        """Return E[D(source)] - E[D(target)] in units of the critic's own spread.

        The estimate of eq. 4 grows with the weights that ``align.clip`` allows; measured against
        the spread of its scores within a domain, critics of different settings can be compared.
        """
        source = self.critic(*self._view_source(batch.source_image))
        target = self.critic(*self._view_target(batch.target_image))
        return separation(source, target)

    def _start_from_source(self) -> None:
        self.adapter.load_state_dict(self.segmenter.groups[: self.replaced].state_dict())
        self.steps_done.zero_()

    def _view_source(self, image: Tensor) -> View:
        states = self.segmenter.run((image,), 0, self.segmenter.num_groups)
        return View.of(states, self.levels)

    def _view_target(self, image: Tensor) -> View:
        lower = run_groups(self.adapter, (image,))
        upper = self.segmenter.run(lower[-1], self.replaced, self.segmenter.num_groups)
        return View.of(lower + upper, self.levels)

    def _set_modes(self, adapting: bool) -> None:
        self.train()
        frozen: list[nn.Module] = [self.segmenter] if adapting else [self.segmenter, self.adapter]
        for module in (module for network in frozen for module in network.modules()):
            if isinstance(module, _BatchNorm):
                module.eval()


_CRITIC_LOSS = {"wasserstein": wasserstein_critic, "least_squares": least_squares_critic}
_GENERATOR_LOSS = {
    "wasserstein": wasserstein_generator,
    "least_squares": least_squares_generator,
}
