"""Two steps of self_ensembling against the same steps written out from the papers."""

from __future__ import annotations

import math

import torch

from uda_study.method import Batch
from uda_study.methods.self_ensembling import SelfEnsembling, SelfEnsemblingHyper
from uda_study.training.step import Stepper, derive_seed
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ"), (16, 16), (1.0, 1.0))
LR, WEIGHT, RAMP, DECAY, NOISE, GAMMA, TINY = 1e-2, 2.0, 2, 0.9, 0.2, 1.3, 1e-7


def new_method() -> SelfEnsembling:
    torch.manual_seed(0)
    hyper = SelfEnsemblingHyper.model_validate(
        {
            "segmenter": {
                "name": "dilated_fcn", "width": 2, "weight_decay": 0, "optimiser": "sgd",
                "schedule": "constant",
            },
            "consistency_weight": WEIGHT, "ramp": RAMP, "decay": DECAY, "lr": LR,
            "perturbation": {"noise": NOISE, "gamma": GAMMA},
        }
    )  # fmt: skip
    method = SelfEnsembling(hyper, TASK).double()
    method.stages()[1].begin()
    return method


def batches(count: int) -> list[Batch]:
    generator = torch.Generator().manual_seed(1)
    drawn = []
    for _ in range(count):
        source, target = torch.randn(2, 2, 1, 16, 16, generator=generator, dtype=torch.float64)
        label = torch.randint(0, 2, (2, 16, 16), generator=generator)
        drawn.append(Batch(source, label, target + 1))
    return drawn


def run(groups: list[torch.nn.Module], image: torch.Tensor) -> torch.Tensor:
    state = (image,)
    for group in groups:
        state = group(state)
    return state[-1].softmax(1)


def perturbed(image: torch.Tensor) -> torch.Tensor:
    changed = torch.empty_like(image)
    powers = torch.rand(2, 1, 1, 1, dtype=torch.float64)
    low, high = image.amin((2, 3), keepdim=True), image.amax((2, 3), keepdim=True)
    for i in range(2):
        power = GAMMA ** (2 * float(powers[i]) - 1)
        changed[i] = (
            low[i] + (high[i] - low[i]) * ((image[i] - low[i]) / (high[i] - low[i])) ** power
        )
    noise = torch.randn(image.shape, dtype=torch.float64)
    return changed + NOISE * image.std((2, 3), keepdim=True, correction=0) * noise


def written_out(method: SelfEnsembling, draws: list[Batch]) -> None:
    student, teacher = list(method.student.groups), list(method.teacher.groups)
    learned = [p for group in student for p in group.parameters()]
    taught = [p for group in teacher for p in group.parameters()]
    momentum = [torch.zeros_like(p) for p in learned]
    for step, batch in enumerate(draws):
        torch.manual_seed(derive_seed(0, "adapt", step, 0))
        source, first = perturbed(batch.source_image), perturbed(batch.target_image)
        second = perturbed(batch.target_image)
        p = run(student, source)
        y = torch.stack([batch.source_label == c for c in range(2)], 1).double()
        loss = -((1 - y.mean((2, 3), keepdim=True)) * y * p.log()).sum(1).mean()
        loss -= (2 * (y * p).sum((2, 3)) / ((y**2 + p**2).sum((2, 3)) + TINY)).mean()
        apart = ((run(student, first) - run(teacher, second).detach()) ** 2).mean()
        ramp = math.exp(-5 * (1 - step / RAMP) ** 2)
        gradients = torch.autograd.grad(loss + WEIGHT * ramp * apart, learned)
        with torch.no_grad():
            for i, gradient in enumerate(gradients):
                momentum[i] = 0.9 * momentum[i] + gradient
                learned[i] -= LR * momentum[i]
                taught[i].copy_(DECAY * taught[i] + (1 - DECAY) * learned[i])


def test_two_steps_equal_the_equations():
    method, reference = new_method(), new_method()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    stepper, queue = Stepper(method, "adapt"), batches(2)
    for _ in range(2):
        stepper.step(lambda: queue.pop(0))
    assert not queue
    written_out(reference, batches(2))
    expected = reference.state_dict()
    for name, value in method.state_dict().items():
        if name != "steps_done":
            torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-10, msg=name)
    moved = {n.split(".")[0] for n, v in method.state_dict().items() if not v.equal(before[n])}
    assert moved == {"student", "teacher", "steps_done"}
