"""One optimiser step after another, for every method alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

from uda_study.errors import Diverged, OutOfMemory, TrainingError
from uda_study.method import Batch, Player, Stage, Trainable, Update
from uda_study.training import accelerator
from uda_study.training.accumulation import Aside, Split, Start, normalises_by_the_batch
from uda_study.training.ranks import Ranks

Precision = Literal["fp32", "bf16"]
T = TypeVar("T")

# A look at a loss waits for the accelerator, so there several are looked at together.
_LOSSES_PER_LOOK = {"cpu": 1}
_LOSSES_PER_LOOK_ELSEWHERE = 64


def derive_seed(*parts: object) -> int:
    """Return a seed in [0, 2**63) that depends on every part and on nothing else.

    >>> derive_seed(0, "adapt", 3) == derive_seed(0, "adapt", 3) != derive_seed(0, "adapt", 4)
    True
    """
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def begin_stage(stage: Stage, seed: int) -> None:
    """Let the stage prepare itself before its first step, with random numbers of its own."""
    if stage.begin is not None:
        torch.manual_seed(derive_seed(seed, stage.name, "begin"))
        stage.begin()


@dataclass
class _Pass:
    """What all parts of a batch gave for one update: gradients, losses and their sum, as means."""

    player: str
    gradients: list[Tensor]
    losses: dict[str, Tensor]
    total: Tensor
    bucket: Tensor | None = None

    def add(self, other: _Pass) -> None:
        """Take in another part, whose values are weighted already."""
        if other.player != self.player or other.losses.keys() != self.losses.keys():
            raise TrainingError(f"parts of a batch gave updates of {self.player}, {other.player}")
        self.gradients = [a + b for a, b in zip(self.gradients, other.gradients, strict=True)]
        self.losses = {name: loss + other.losses[name] for name, loss in self.losses.items()}
        self.total = self.total + other.total


class Stepper:
    """Drives the updates of one stage; its state is all that a resume needs besides the weights.

    For every update the player's gradients alone are computed, averaged over the ranks in one
    flat bucket, clipped and applied. Random numbers depend on seed, stage, step and rank only,
    so a resumed training draws the same ones. With several ``parts`` every batch is gone through
    in so many, whose gradients are averaged: see `uda_study.training.accumulation`.
    """

    def __init__(
        self,
        trainable: Trainable,
        stage: str,
        seed: int = 0,
        precision: Precision = "fp32",
        ranks: Ranks | None = None,
        parts: int = 1,
    ) -> None:
        self.trainable = trainable
        self.stage = stage
        self.seed = seed
        self.precision = precision
        self.ranks = ranks or Ranks()
        self.parts = parts
        self.players: Mapping[str, Player] = dict(trainable.players())
        self.index = 0
        self._parameters = {
            name: [p for group in player.optimiser.param_groups for p in group["params"]]
            for name, player in self.players.items()
        }
        self._device = next(trainable.parameters()).device
        self._start = Start(trainable) if parts > 1 else None
        self._aside = Aside(trainable, parts) if parts > 1 else None
        self._due: Player | None = None
        self._unseen: list[tuple[str, Tensor]] = []

    def step(self, draw: Callable[[], Batch]) -> dict[str, Tensor]:
        """Run one training step and return each ``player/loss``, averaged over its updates.

        Raises `Diverged` for a loss that is not finite (on an accelerator up to a few steps
        late), `TrainingError` for a parameter of a player that got no gradient, `OutOfMemory` on
        every rank where the GPU of one has too little.
        """
        torch.manual_seed(derive_seed(self.seed, self.stage, self.index, self.ranks.rank))
        totals: dict[str, list[Tensor]] = {}
        split = Split(draw, self.parts)
        generators = [self.trainable.updates(drawn) for drawn in split.draws()]
        while (found := self._together(partial(self._advance, generators, split))) is not None:
            self._share(found)
            for name, loss in found.losses.items():
                totals.setdefault(f"{found.player}/{name}", []).append(loss)
            del found
        for player in self.players.values():
            if player.schedule is not None:
                player.schedule.step()
        self.index += 1
        return {name: torch.stack(losses).mean() for name, losses in totals.items()}

    def check_finite(self) -> None:
        """Raise `Diverged` if a loss that was not looked at yet is not finite."""
        seen, self._unseen = self._unseen, []
        if seen and not bool(torch.isfinite(torch.stack([loss for _, loss in seen])).all()):
            player = next(name for name, loss in seen if not bool(torch.isfinite(loss)))
            raise Diverged(self.stage, self.index, player)

    def state(self) -> dict[str, Any]:
        """Return the step counter and the state of every optimiser and schedule."""
        return {
            "index": self.index,
            "players": {
                name: {
                    "optimiser": player.optimiser.state_dict(),
                    "schedule": player.schedule.state_dict() if player.schedule else None,
                }
                for name, player in self.players.items()
            },
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`."""
        self.index = state["index"]
        for name, player in self.players.items():
            player.optimiser.load_state_dict(state["players"][name]["optimiser"])
            if player.schedule is not None:
                player.schedule.load_state_dict(state["players"][name]["schedule"])

    def _together(self, work: Callable[[], T]) -> T:
        """Do what may take too much memory; if it does on one rank, it ends on all of them."""
        try:
            result = work()
        except RuntimeError as error:
            if not accelerator.is_out_of_memory(error):
                raise
            self.ranks.any(True)
            raise self._lack() from error
        if self.ranks.any(False):
            raise self._lack()
        return result

    def _lack(self) -> OutOfMemory:
        return OutOfMemory(f"a batch of stage {self.stage!r}", divisible=True)

    def _advance(self, generators: Sequence[Iterator[Update]], split: Split) -> _Pass | None:
        """Make the step that is due and move every part on; None when there is no update left."""
        if self._due is not None:
            self._due.optimiser.step()
            self._due.optimiser.zero_grad(set_to_none=True)
            self._due = None
        if self._start is not None:
            self._start.note()
        total: _Pass | None = None
        for number, updates in enumerate(generators):
            if self._start is not None and number > 0:
                self._start.put_back()
            # The method's own code runs inside next(): that is what mixed precision has to wrap.
            autocast = torch.autocast(
                self._device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"
            )
            watching = nullcontext() if self._aside is None else self._aside.watching(number)
            with autocast, watching:
                update = next(updates, None)
            if self.parts > 1:
                self._refuse_mixing()
            if (update is None) != (total is None) and number > 0:
                raise TrainingError(f"stage {self.stage!r}: parts of a batch differ in updates")
            if update is not None:
                part = self._pass(update, split.weights[number])
                del update
                if total is None:
                    total = part
                else:
                    total.add(part)
            if self._aside is not None:
                self._aside.put(number)
        if total is not None and self.ranks.size > 1:
            # The loss travels along: every rank sees the same one, so all stop or none does.
            flat = [g.flatten() for g in total.gradients]
            total.bucket = torch.cat([*flat, total.total.reshape(1)])
        return total

    def _pass(self, update: Update, weight: float) -> _Pass:
        """Compute the gradients of a part, and let go of its graph."""
        parameters = self._parameters[update.player]
        total = weight * torch.stack([_wide(loss) for loss in update.losses.values()]).sum()
        gradients = torch.autograd.grad(total, parameters, allow_unused=True)
        missing = [i for i, gradient in enumerate(gradients) if gradient is None]
        if missing:
            raise TrainingError(
                f"stage {self.stage!r}: {len(missing)} of {len(parameters)} parameters of player "
                f"{update.player!r} got no gradient; take them from its optimiser or use them"
            )
        losses = {name: weight * _wide(loss.detach()) for name, loss in update.losses.items()}
        return _Pass(update.player, list(gradients), losses, total.detach())

    def _refuse_mixing(self) -> None:
        if normalises_by_the_batch(self.trainable):
            raise TrainingError(
                f"stage {self.stage!r}: the GPU's memory does not hold a batch, and what batch "
                "normalisation makes of one in parts is not the same; lower batch_size, choose "
                "norm: instance, or give each training more of a GPU with resources.gpu"
            )

    def _share(self, found: _Pass) -> None:
        """Hand each parameter its gradient, averaged over the ranks, and note the loss."""
        gradients, total = found.gradients, found.total
        if found.bucket is not None:
            self.ranks.mean_(found.bucket)
            parts = torch.split(found.bucket[:-1], [g.numel() for g in gradients])
            gradients = [
                part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)
            ]
            total = found.bucket[-1]
        parameters, player = self._parameters[found.player], self.players[found.player]
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        self._unseen.append((found.player, total))
        limit = _LOSSES_PER_LOOK.get(self._device.type, _LOSSES_PER_LOOK_ELSEWHERE)
        if len(self._unseen) >= limit:
            self.check_finite()
        if player.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, player.clip_norm)
        self._due = player


def _wide(loss: Tensor) -> Tensor:
    """Return a loss in single precision at least."""
    return loss.to(torch.promote_types(loss.dtype, torch.float32))
