"""Two training steps of cyuda against the same steps written out from the paper's equations."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from uda_study.method import Batch
from uda_study.methods.cyuda import Cyuda, CyudaHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "lung"), (32, 32), (1.0, 1.0))
ALPHA, BETA, LR, BETAS = 0.5, 10.0, 2e-4, (0.5, 0.999)
"""The published weights, and the learning rate of the public CycleGAN."""


def new_cyuda() -> Cyuda:
    torch.manual_seed(0)
    hyper = CyudaHyper.model_validate(
        {
            "segmenter": {"name": "dilated_fcn", "width": 2},
            "generator": {"width": 2, "blocks": 1},
            "discriminator": {"width": 2, "layers": 2},
            "steps": 100,
        }
    )
    return Cyuda(hyper, TASK).double()


def batches() -> list[Batch]:
    generator = torch.Generator().manual_seed(1)

    def images() -> Tensor:
        return torch.randn(2, 1, 32, 32, generator=generator, dtype=torch.float64)

    return [Batch(images(), torch.empty(0), images() + 1) for _ in range(2)]


def real(scores: Tensor) -> Tensor:
    return ((scores - 1) ** 2).mean()


def fake(scores: Tensor) -> Tensor:
    return (scores**2).mean()


def l1(first: Tensor, second: Tensor) -> Tensor:
    return (first - second).abs().mean()


def written_out(method: Cyuda, draws: list[Batch]) -> None:
    """Eq. 4 with lambda = 0 and least squares; the histories are not full yet."""
    to_source, to_target = method.cycle.generators.values()
    of_source, of_target = method.cycle.discriminators.values()
    generators, judges = (
        torch.optim.Adam([*a.parameters(), *b.parameters()], lr=LR, betas=BETAS)
        for a, b in ((to_source, to_target), (of_source, of_target))
    )
    for batch in draws:
        source, target = batch.source_image, batch.target_image
        fake_source, fake_target = to_source(target), to_target(source)
        loss = real(of_target(fake_target)) + ALPHA * real(of_source(fake_source))
        cycle = l1(to_target(fake_source), target) + l1(to_source(fake_target), source)
        generators.zero_grad()
        (loss + BETA * cycle).backward()
        generators.step()
        told = real(of_source(source)) + fake(of_source(fake_source.detach()))
        told = told + real(of_target(target)) + fake(of_target(fake_target.detach()))
        judges.zero_grad()
        (told / 2).backward()
        judges.step()


def test_two_steps_equal_the_equations_with_the_published_weights():
    method, reference = new_cyuda(), new_cyuda()
    before = copy.deepcopy(method.state_dict())
    queue, stepper = batches(), Stepper(method, "translate")
    for _ in range(2):
        stepper.step(lambda: queue.pop(0))
    assert not queue, "a step draws one batch"
    written_out(reference, batches())
    expected = reference.state_dict()
    for name, value in method.state_dict().items():
        if "pools" not in name:
            torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-9, msg=name)
    moved = {".".join(n.split(".")[:2]) for n, v in before.items() if not v.equal(expected[n])}
    assert moved == {"cycle.generators", "cycle.discriminators"}
