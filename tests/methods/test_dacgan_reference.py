"""Training steps of dacgan against the same steps written out from the equations."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from uda_study.method import Batch
from uda_study.methods.dacgan import Dacgan, DacganHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "liver"), (32, 32), (1.0, 1.0))
CYCLE, IDENTITY, LR, BETAS = 10.0, 5.0, 2e-4, (0.5, 0.999)
STEPS = 2


def new_dacgan() -> Dacgan:
    torch.manual_seed(0)
    hyper = DacganHyper.model_validate(
        {
            "segmenter": {"name": "dilated_fcn", "width": 2},
            "generator": {"width": 2, "blocks": 1},
            "discriminator": {"width": 2, "layers": 2},
            "steps": 100,
        }
    )
    return Dacgan(hyper, TASK).double()


def batches() -> list[Batch]:
    generator = torch.Generator().manual_seed(1)

    def images() -> Tensor:
        return torch.randn(2, 1, 32, 32, generator=generator, dtype=torch.float64)

    label = torch.randint(0, 2, (2, 32, 32), generator=generator)
    return [Batch(images(), label, images() + 1) for _ in range(STEPS)]


def real(scores: Tensor) -> Tensor:
    return ((scores - 1) ** 2).mean()


def fake(scores: Tensor) -> Tensor:
    return (scores**2).mean()


def l1(first: Tensor, second: Tensor) -> Tensor:
    return (first - second).abs().mean()


def translation(dacgan: Dacgan) -> None:
    to_source, to_target = dacgan.cycle.generators.values()
    of_source, of_target = dacgan.cycle.discriminators.values()
    generators, judges = (
        torch.optim.Adam([*a.parameters(), *b.parameters()], lr=LR, betas=BETAS)
        for a, b in ((to_source, to_target), (of_source, of_target))
    )
    for batch in batches():
        source, target = batch.source_image, batch.target_image
        fake_source, fake_target = to_source(target), to_target(source)
        loss = real(of_target(fake_target)) + real(of_source(fake_source))
        cycle = l1(to_target(fake_source), target) + l1(to_source(fake_target), source)
        same = l1(to_source(source), source) + l1(to_target(target), target)
        generators.zero_grad()
        (loss + CYCLE * cycle + IDENTITY * same).backward()
        generators.step()
        told = real(of_source(source)) + fake(of_source(fake_source.detach()))
        told = told + real(of_target(target)) + fake(of_target(fake_target.detach()))
        judges.zero_grad()
        (told / 2).backward()
        judges.step()


def segmentation(dacgan: Dacgan) -> None:
    network, to_target = dacgan.target_segmenter, dacgan.cycle.generators["to_target"]
    weights = [p for p in network.parameters() if p.dim() > 1]
    others = [p for p in network.parameters() if p.dim() == 1]
    adam = torch.optim.Adam([{"params": weights, "weight_decay": 1e-4}, {"params": others}], 1e-3)
    for batch in batches():
        probability = network(to_target(batch.source_image).detach()).softmax(1)
        truth = torch.stack([batch.source_label == 0, batch.source_label == 1], 1).double()
        share = truth.mean((2, 3), keepdim=True)
        entropy = -((1 - share) * truth * probability.log()).sum(1).mean()
        overlap = 2 * (truth * probability).sum((2, 3))
        size = (truth**2).sum((2, 3)) + (probability**2).sum((2, 3)) + 1e-7
        adam.zero_grad()
        (entropy - (overlap / size).mean()).backward()
        adam.step()


def test_steps_of_translation_and_segmenter_equal_the_equations():
    method, reference = new_dacgan(), new_dacgan()
    before = copy.deepcopy(method.state_dict())
    for stage in method.stages()[1:]:
        queue, stepper = batches(), Stepper(stage.trainable, stage.name)
        for _ in range(STEPS):
            stepper.step(lambda queue=queue: queue.pop(0))
        assert not queue, "a step draws one batch"
    translation(reference)
    segmentation(reference)
    expected = reference.state_dict()
    for name, value in method.state_dict().items():
        if "pools" not in name:
            torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-8, msg=name)
    moved = {".".join(n.split(".")[:2]) for n, v in before.items() if not v.equal(expected[n])}
    assert moved == {"cycle.generators", "cycle.discriminators", "target_segmenter.groups"}
