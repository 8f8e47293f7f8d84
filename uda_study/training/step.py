"""One optimiser step after another, for every method alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from uda_study.errors import Diverged, TrainingError
from uda_study.method import Batch, Player, Stage, Trainable, Update
from uda_study.training.ranks import Ranks

Precision = Literal["fp32", "bf16"]

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


class Stepper:
    """Drives the updates of one stage; its state is all that a resume needs besides the weights.

    For every update the player's gradients alone are computed, averaged over the ranks in one
    flat bucket, clipped and applied. Random numbers depend on seed, stage, step and rank only,
    so a resumed training draws the same ones.
    """

    def __init__(
        self,
        trainable: Trainable,
        stage: str,
        seed: int = 0,
        precision: Precision = "fp32",
        ranks: Ranks | None = None,
    ) -> None:
        self.trainable = trainable
        self.stage = stage
        self.seed = seed
        self.precision = precision
        self.ranks = ranks or Ranks()
        self.players: Mapping[str, Player] = dict(trainable.players())
        self.index = 0
        self._parameters = {
            name: [p for group in player.optimiser.param_groups for p in group["params"]]
            for name, player in self.players.items()
        }
        self._device = next(trainable.parameters()).device
        self._unseen: list[tuple[str, Tensor]] = []

    def step(self, draw: Callable[[], Batch]) -> dict[str, Tensor]:
        """Run one training step and return each ``player/loss``, averaged over its updates.

        Raises `Diverged` for a loss that is not finite (on an accelerator up to a few steps
        late), `TrainingError` for a parameter of a player that got no gradient.
        """
        torch.manual_seed(derive_seed(self.seed, self.stage, self.index, self.ranks.rank))
        totals: dict[str, list[Tensor]] = {}
        for update in self._updates(draw):
            self._apply(update)
            for name, loss in update.losses.items():
                totals.setdefault(f"{update.player}/{name}", []).append(loss.detach().float())
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

    def _updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        # The method's own code runs inside next(): that is what mixed precision has to wrap.
        updates = self.trainable.updates(draw)
        while True:
            with torch.autocast(
                self._device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"
            ):
                update = next(updates, None)
            if update is None:
                return
            yield update

    def _apply(self, update: Update) -> None:
        parameters = self._parameters[update.player]
        player = self.players[update.player]
        total = torch.stack([loss.float() for loss in update.losses.values()]).sum()
        gradients = torch.autograd.grad(total, parameters, allow_unused=True)
        missing = [i for i, gradient in enumerate(gradients) if gradient is None]
        if missing:
            raise TrainingError(
                f"stage {self.stage!r}: {len(missing)} of {len(parameters)} parameters of player "
                f"{update.player!r} got no gradient; take them from its optimiser or use them"
            )
        self._share(update.player, parameters, gradients, total.detach())
        if player.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, player.clip_norm)
        player.optimiser.step()
        player.optimiser.zero_grad(set_to_none=True)

    def _share(
        self,
        player: str,
        parameters: list[torch.nn.Parameter],
        gradients: tuple[Tensor, ...],
        total: Tensor,
    ) -> None:
        """Hand each parameter its gradient, averaged over the ranks, and note the loss."""
        if self.ranks.size > 1:
            # The loss travels along: every rank sees the same one, so all stop or none does.
            bucket = torch.cat([g.flatten() for g in gradients] + [total.reshape(1)])
            self.ranks.mean_(bucket)
            sizes = [g.numel() for g in gradients]
            parts = torch.split(bucket[:-1], sizes)
            gradients = tuple(
                part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)
            )
            total = bucket[-1]
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        self._unseen.append((player, total))
        limit = _LOSSES_PER_LOOK.get(self._device.type, _LOSSES_PER_LOOK_ELSEWHERE)
        if len(self._unseen) >= limit:
            self.check_finite()
