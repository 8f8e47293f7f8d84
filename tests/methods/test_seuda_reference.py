"""Two training steps of seuda against the same steps written out from the paper's equations."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from uda_study.method import Batch
from uda_study.methods.seuda import Seuda, SeudaHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "left", "right"), (32, 32), (1.0, 1.0))
ALPHA, BETA, LAMBDA, BACK, LR, BETAS = 0.4, 7.0, 0.6, 0.9, 2e-4, (0.5, 0.999)
STEPS = 3


def new_seuda(smoothing: float, ramp: int) -> Seuda:
    torch.manual_seed(0)
    hyper = SeudaHyper.model_validate(
        {
            "segmenter": {"name": "dilated_fcn", "width": 2, "dropout": 0.5},
            "generator": {"width": 2, "blocks": 1},
            "discriminator": {"width": 2, "layers": 2},
            "cycle": {
                "gan": "least_squares", "weight": BETA, "identity": 0.0, "target_weight": BACK,
                "source_weight": ALPHA,
                "pool_size": 0,
            },
            "semantic": {"weight": LAMBDA, "ramp": ramp, "smoothing": smoothing},
            "steps": 100,
        }
    )  # fmt: skip
    return Seuda(hyper, TASK).double()


def batches() -> list[Batch]:
    generator = torch.Generator().manual_seed(1)

    def images() -> Tensor:
        return torch.randn(2, 1, 32, 32, generator=generator, dtype=torch.float64)

    def labels() -> Tensor:
        return torch.randint(0, 3, (2, 32, 32), generator=generator)

    return [Batch(images(), labels(), images() + 1) for _ in range(STEPS)]


def drawn(label: Tensor, smoothing: float) -> Tensor:
    """Return the label as class maps, each voxel's certainty partly shared out."""
    maps = torch.stack([(label == number).double() for number in range(3)], dim=1)
    return (1 - smoothing) * maps + smoothing / 3


def real(scores: Tensor) -> Tensor:
    return ((scores - 1) ** 2).mean()


def fake(scores: Tensor) -> Tensor:
    return (scores**2).mean()


def l1(first: Tensor, second: Tensor) -> Tensor:
    return (first - second).abs().mean()


def written_out(method: Seuda, draws: list[Batch], smoothing: float, ramp: int) -> None:
    """Eq. 1-5 with least squares, generators first; the segmenter is in no optimiser."""
    to_source, to_target = method.cycle.generators.values()
    of_source, of_target = method.cycle.discriminators.values()
    of_maps, segmenter = method.semantic.discriminator, method.segmenter.eval()
    generators = torch.optim.Adam(
        [*to_source.parameters(), *to_target.parameters()], lr=LR, betas=BETAS
    )
    judges = torch.optim.Adam(
        [p for judge in (of_source, of_target, of_maps) for p in judge.parameters()],
        lr=LR,
        betas=BETAS,
    )
    for number, batch in enumerate(draws):
        source, target = batch.source_image, batch.target_image
        fake_source, fake_target = to_source(target), to_target(source)
        maps = segmenter(fake_source).softmax(1)
        semantic_weight = LAMBDA * min(1, number / ramp) if ramp else LAMBDA
        loss = (
            BACK * real(of_target(fake_target))
            + ALPHA * real(of_source(fake_source))
            + BETA * (l1(to_target(fake_source), target) + l1(to_source(fake_target), source))
            + semantic_weight * real(of_maps(maps))
        )
        generators.zero_grad()
        loss.backward()
        generators.step()
        told = real(of_source(source)) + fake(of_source(fake_source.detach()))
        told = told + real(of_target(target)) + fake(of_target(fake_target.detach()))
        told = told + real(of_maps(drawn(batch.source_label, smoothing)))
        told = told + fake(of_maps(maps.detach()))
        judges.zero_grad()
        (told / 2).backward()
        judges.step()


@pytest.mark.parametrize(("smoothing", "ramp"), [(0.0, 0), (0.1, 4)])
def test_steps_equal_the_equations(smoothing, ramp):
    method, reference = new_seuda(smoothing, ramp), new_seuda(smoothing, ramp)
    before = copy.deepcopy(method.state_dict())
    queue, stepper = batches(), Stepper(method, "translate")
    for _ in range(STEPS):
        stepper.step(lambda: queue.pop(0))
    assert not queue, "a step draws one batch"
    written_out(reference, batches(), smoothing, ramp)
    expected = reference.state_dict()
    for name, value in method.state_dict().items():
        if name != "steps_done":
            torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-9, msg=name)
    moved = {".".join(n.split(".")[:2]) for n, v in before.items() if not v.equal(expected[n])}
    assert moved == {"cycle.generators", "cycle.discriminators", "semantic.discriminator"}
