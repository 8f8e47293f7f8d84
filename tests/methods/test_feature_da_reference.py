"""Two joint updates of feature_da against the same updates written out from the equations."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uda_study.method import Batch
from uda_study.methods.feature_da import FeatureDa, FeatureDaHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ", "lesion"), (16, 16), (1.0, 1.0))
WEIGHT, LR, CRITIC_LR, BETAS, CRITIC_STEPS, RAMP = 0.7, 1e-3, 3e-3, (0.8, 0.999), 2, 4
UPDATES = 3


def new_feature_da(kind: str, opponent: str) -> FeatureDa:
    torch.manual_seed(0)
    hyper = FeatureDaHyper.model_validate(
        {
            "segmenter": {
                "name": "dilated_fcn", "width": 2, "dice_weight": 0.0, "class_weights": "none",
            },
            "adversarial_weight": WEIGHT,
            "align": {"type": kind, "opponent": opponent, "start": 0, "ramp": RAMP},
            "critic": {
                "input": "pool", "width": 2, "norm": "none", "steps": CRITIC_STEPS, "growth": 0,
                "warm_up": 0, "levels": [3, 6, 9],
            },
            "optim": {"lr": LR, "critic_lr": CRITIC_LR, "beta1": BETAS[0]},
        }
    )  # fmt: skip
    method = FeatureDa(hyper, TASK).double()
    method.stages()[1].begin()
    return method


def batches() -> list[Batch]:
    generator = torch.Generator().manual_seed(1)

    def images() -> Tensor:
        return torch.randn(2, 1, 16, 16, generator=generator, dtype=torch.float64)

    def labels() -> Tensor:
        return torch.randint(0, 3, (2, 16, 16), generator=generator)

    return [Batch(images(), labels(), images() + 1) for _ in range(UPDATES * (CRITIC_STEPS + 1))]


def is_source(kind: str, score: Tensor) -> Tensor:
    return -torch.log(torch.sigmoid(score)).mean() if kind == "log" else ((score - 1) ** 2).mean()


def is_target(kind: str, score: Tensor) -> Tensor:
    return -torch.log(1 - torch.sigmoid(score)).mean() if kind == "log" else (score**2).mean()


def written_out(method: FeatureDa, draws: list[Batch], kind: str, opponent: str) -> None:
    """Kamnitsas et al. (2017): L_seg - alpha L_adv, with alpha rising linearly."""
    network, body = method.adapted, method.critic.body
    of_critic = torch.optim.Adam(body.parameters(), lr=CRITIC_LR, betas=BETAS)
    of_network = torch.optim.Adam(network.parameters(), lr=LR, betas=BETAS)

    def look(image: Tensor) -> tuple[Tensor, Tensor]:
        features, seen = image, []
        for number, group in enumerate(network.groups, start=1):
            features = group((image, features))[-1]
            if number in (3, 6, 9):
                seen.append(features)
        seen.append(4 * torch.softmax(features, 1))
        grid = [F.interpolate(level, (16, 16), mode="nearest") for level in seen]
        return features, body(torch.cat(grid, 1))

    def step(optimiser: torch.optim.Optimizer, module: nn.Module, loss: Tensor) -> None:
        parameters = list(module.parameters())
        for parameter, gradient in zip(
            parameters, torch.autograd.grad(loss, parameters), strict=True
        ):
            parameter.grad = gradient
        optimiser.step()

    for update in range(UPDATES):
        for _ in range(CRITIC_STEPS):
            batch = draws.pop(0)
            source, target = look(batch.source_image)[1], look(batch.target_image)[1]
            told = is_source(kind, source) / 2 + is_target(kind, target) / 2
            step(of_critic, body, told)
        batch = draws.pop(0)
        logits, source = look(batch.source_image)
        target = look(batch.target_image)[1]
        chosen = torch.log_softmax(logits, 1).gather(1, batch.source_label[:, None])
        if opponent == "maximise":
            hidden = -(is_source(kind, source) / 2 + is_target(kind, target) / 2)
        else:
            hidden = is_source(kind, target) / 2 + is_target(kind, source) / 2
        step(of_network, network, -chosen.mean() + WEIGHT * update / RAMP * hidden)


@pytest.mark.parametrize("kind", ["log", "least_squares"])
@pytest.mark.parametrize("opponent", ["maximise", "inverted"])
def test_joint_updates_equal_the_equations(kind, opponent):
    method, reference = new_feature_da(kind, opponent), new_feature_da(kind, opponent)
    before = copy.deepcopy(method.state_dict())
    queue, stepper = batches(), Stepper(method, "adapt")
    for _ in range(UPDATES):
        stepper.step(lambda: queue.pop(0))
    assert not queue, "every step of a player draws a batch of its own"
    written_out(reference, batches(), kind, opponent)
    expected = reference.state_dict()
    for name, value in method.state_dict().items():
        if name != "steps_done":
            torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-9, msg=name)
    moved = {n.split(".")[0] for n, v in method.state_dict().items() if not v.equal(before[n])}
    assert moved == {"adapted", "critic", "steps_done"}
