"""One training step of cyclegan against the same step written out from the equations."""

from __future__ import annotations

import copy

import pytest
import torch

from uda_study.method import Batch
from uda_study.methods.cyclegan import Cyclegan, CycleganHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ"), (32, 32), (1.0, 1.0))
CYCLE, IDENTITY, BACK, LR, BETAS = 7.0, 0.4, 0.6, 2e-4, (0.5, 0.999)


def new_cyclegan(gan: str) -> Cyclegan:
    torch.manual_seed(0)
    hyper = CycleganHyper.model_validate(
        {
            "segmenter": {"name": "dilated_fcn", "width": 2},
            "generator": {"width": 2, "blocks": 1},
            "discriminator": {"width": 2},
            "cycle": {
                "gan": gan, "weight": CYCLE, "identity": IDENTITY, "target_weight": BACK,
                "pool_size": 0,
            },
            "steps": 100,
        }
    )  # fmt: skip
    return Cyclegan(hyper, TASK).double()


def batches(count: int) -> list[Batch]:
    generator = torch.Generator().manual_seed(1)

    def images() -> torch.Tensor:
        return torch.randn(2, 1, 32, 32, generator=generator, dtype=torch.float64)

    return [Batch(images(), torch.empty(0), images() + 1) for _ in range(count)]


def real(gan: str, scores: torch.Tensor) -> torch.Tensor:
    """How far scores are from being called real."""
    if gan == "log":
        return -torch.log(torch.sigmoid(scores)).mean()
    return ((scores - 1) ** 2).mean()


def fake(gan: str, scores: torch.Tensor) -> torch.Tensor:
    """How far scores are from being called fake."""
    if gan == "log":
        return -torch.log(1 - torch.sigmoid(scores)).mean()
    return (scores**2).mean()


def written_out(method: Cyclegan, draws: list[Batch], gan: str) -> None:
    """Zhu et al. (2017), eq. 1-3 and section 5.2, one pass at a time."""
    to_source, to_target = method.cycle.generators.values()
    of_source, of_target = method.cycle.discriminators.values()
    optimisers = [
        torch.optim.Adam([*a.parameters(), *b.parameters()], lr=LR, betas=BETAS)
        for a, b in ((of_source, of_target), (to_source, to_target))
    ]

    def step(number: int, loss: torch.Tensor) -> None:
        optimisers[number].zero_grad()
        loss.backward()
        optimisers[number].step()

    def l1(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return (first - second).abs().mean()

    for batch in draws:
        source, target = batch.source_image, batch.target_image
        with torch.no_grad():
            fake_source, fake_target = to_source(target), to_target(source)
        source_loss = real(gan, of_source(source)) + fake(gan, of_source(fake_source))
        target_loss = real(gan, of_target(target)) + fake(gan, of_target(fake_target))
        step(0, source_loss / 2 + target_loss / 2)
        fake_source, fake_target = to_source(target), to_target(source)
        adversarial = real(gan, of_source(fake_source)) + BACK * real(gan, of_target(fake_target))
        cycle = l1(to_target(fake_source), target) + l1(to_source(fake_target), source)
        identity = l1(to_source(source), source) + l1(to_target(target), target)
        step(1, adversarial + CYCLE * cycle + IDENTITY * CYCLE * identity)


@pytest.mark.parametrize("gan", ["log", "least_squares"])
def test_two_steps_equal_the_equations(gan):
    method, reference = new_cyclegan(gan), new_cyclegan(gan)
    before = copy.deepcopy(method.state_dict())
    queue = batches(2)
    stepper = Stepper(method, "translate")
    for _ in range(2):
        stepper.step(lambda: queue.pop(0))
    assert not queue, "a step draws one batch"
    written_out(reference, batches(2), gan)
    expected = reference.state_dict()
    for name, value in method.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-9, msg=name)
    moved = {".".join(n.split(".")[:2]) for n, v in before.items() if not v.equal(expected[n])}
    assert moved == {"cycle.generators", "cycle.discriminators"}
