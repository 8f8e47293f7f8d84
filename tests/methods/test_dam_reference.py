"""One joint update of dam against the same update written out from the paper's equations."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import nn

from uda_study.method import Batch
from uda_study.methods.dam import Dam, DamHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ", "lesion"), (16, 16), (1.0, 1.0))
LR, ALPHA, EPS, WEIGHT, L2, CLIP, CRITIC_STEPS = 3e-4, 0.9, 1e-10, 0.002, 1e-4, 0.03, 2


def new_dam(norm: str) -> Dam:
    torch.manual_seed(0)
    hyper = DamHyper.model_validate(
        {
            "segmenter": {"name": "dilated_fcn", "width": 2, "norm": "instance"},
            "depth": "g4",
            "critic": {
                "input": "pool",
                "width": 2,
                "norm": norm,
                "steps": CRITIC_STEPS,
                "warm_up": 0,
                "levels": [4, 6, 9],
            },
        }
    )
    dam = Dam(hyper, TASK).double()
    dam.stages()[1].begin()
    return dam


def batches(count: int) -> list[Batch]:
    generator = torch.Generator().manual_seed(1)

    def images() -> torch.Tensor:
        return torch.randn(2, 1, 16, 16, generator=generator, dtype=torch.float64)

    return [Batch(images(), torch.empty(0), images() + 1) for _ in range(count)]


class WrittenOut:
    """Eq. 5 and 6 and RMSProp, with nothing of the package but the networks' own layers."""

    def __init__(self, dam: Dam) -> None:
        self.lower = list(dam.segmenter.groups[:4])
        self.upper = list(dam.segmenter.groups[4:])
        self.adapter = list(dam.adapter)
        self.body = dam.critic.body
        self.square: dict[nn.Parameter, torch.Tensor] = {}

    def score(self, early: list[nn.Module], image: torch.Tensor) -> torch.Tensor:
        features, seen = image, []
        for number, group in enumerate([*early, *self.upper], start=1):
            features = group((image, features))[-1]
            if number in (4, 6, 9):
                seen.append(features)
        seen.append(4 * torch.softmax(features, 1))
        pooled = [F.interpolate(level, (16, 16), mode="nearest") for level in seen]
        return self.body(torch.cat(pooled, 1))

    def descend(self, loss: torch.Tensor, parameters: list[nn.Parameter], l2: float) -> None:
        gradients = torch.autograd.grad(WEIGHT * loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                g = gradient + (WEIGHT * l2 * parameter if parameter.dim() > 1 else 0)
                square = (
                    ALPHA * self.square.get(parameter, torch.zeros_like(g)) + (1 - ALPHA) * g**2
                )
                self.square[parameter] = square
                parameter.sub_(LR * g / (square.sqrt() + EPS))

    def joint_update(self, draws: list[Batch]) -> None:
        critic = list(self.body.parameters())
        for batch in draws[:CRITIC_STEPS]:
            with_target = self.score(self.adapter, batch.target_image)
            with_source = self.score(self.lower, batch.source_image)
            self.descend(with_target.mean() - with_source.mean(), critic, L2 / CRITIC_STEPS)
            with torch.no_grad():
                for layer in self.body.modules():
                    if isinstance(layer, nn.Conv2d | nn.Linear):
                        layer.weight.clamp_(-CLIP, CLIP)
                        if layer.bias is not None:
                            layer.bias.clamp_(-CLIP, CLIP)
        adapter = [p for group in self.adapter for p in group.parameters()]
        score = self.score(self.adapter, draws[CRITIC_STEPS].target_image)
        self.descend(-score.mean(), adapter, L2)


def assert_joint_update_matches(norm: str) -> None:
    method = new_dam(norm)
    before = copy.deepcopy(method.state_dict())
    reference = new_dam(norm)
    written_out = WrittenOut(reference)
    for turn in range(2):
        draws = batches(2 * (CRITIC_STEPS + 1))[turn * 3 : turn * 3 + 3]
        if turn == 0:
            stepper = Stepper(method, "adapt")
        queue = list(draws)
        stepper.step(lambda queue=queue: queue.pop(0))
        assert not queue, "every critic step and the adapter's step draw a batch of their own"
        written_out.joint_update(draws)
    expected = reference.state_dict()
    for name, value in method.state_dict().items():
        if name != "steps_done":
            torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-9, msg=name)
    moved = {n.split(".")[0] for n, v in method.state_dict().items() if not v.equal(before[n])}
    assert moved == {"adapter", "critic", "steps_done"}


def test_two_joint_updates_equal_the_equations():
    assert_joint_update_matches("none")


def test_two_joint_updates_equal_the_equations_with_a_normalised_critic():
    assert_joint_update_matches("instance")
