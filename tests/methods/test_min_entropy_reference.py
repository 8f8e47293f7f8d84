"""Two steps of min_entropy against the same steps written out from the paper's equations."""

from __future__ import annotations

import math

import torch

from uda_study.method import Batch
from uda_study.methods.min_entropy import MinEntropy, MinEntropyHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ", "lesion"), (16, 16), (1.0, 1.0))
LR, L2, WEIGHT, DICE, RAMP, TINY = 2e-3, 1e-2, 0.7, 0.5, 3, 1e-7


def new_method() -> MinEntropy:
    torch.manual_seed(0)
    hyper = MinEntropyHyper.model_validate(
        {
            "segmenter": {
                "name": "dilated_fcn", "width": 2, "weight_decay": L2, "dice_weight": DICE,
                "schedule": "constant",
            },
            "entropy_weight": WEIGHT, "ramp": RAMP, "lr": LR,
        }
    )  # fmt: skip
    method = MinEntropy(hyper, TASK).double()
    method.stages()[1].begin()
    return method


def batches(count: int) -> list[Batch]:
    generator = torch.Generator().manual_seed(1)
    drawn = []
    for _ in range(count):
        source, target = torch.randn(2, 2, 1, 16, 16, generator=generator, dtype=torch.float64)
        label = torch.randint(0, 3, (2, 16, 16), generator=generator)
        drawn.append(Batch(source, label, target + 1))
    return drawn


def run(groups: list[torch.nn.Module], image: torch.Tensor) -> torch.Tensor:
    state = (image,)
    for group in groups:
        state = group(state)
    return state[-1]


def written_out(method: MinEntropy, draws: list[Batch]) -> None:
    groups = list(method.adapted.groups)
    parameters = [p for group in groups for p in group.parameters()]
    first, second = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    for step, batch in enumerate(draws):
        p = run(groups, batch.source_image).softmax(1)
        y = torch.stack([batch.source_label == c for c in range(3)], 1).double()
        weight = 1 - y.mean((2, 3), keepdim=True)
        supervised = -(weight * y * p.log()).sum(1).mean()
        overlap = 2 * (y * p).sum((2, 3)) / ((y**2).sum((2, 3)) + (p**2).sum((2, 3)) + TINY)
        supervised = supervised - DICE * overlap.mean()
        q = run(groups, batch.target_image).softmax(1)
        entropy = (-1 / math.log(3) * (q * q.log()).sum(1)).mean()
        ramp = math.exp(-5 * (1 - step / RAMP) ** 2)
        gradients = torch.autograd.grad(supervised + WEIGHT * ramp * entropy, parameters)
        with torch.no_grad():
            for i, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
                g = gradient + (L2 * parameter if parameter.dim() > 1 else 0)
                first[i] = 0.9 * first[i] + 0.1 * g
                second[i] = 0.999 * second[i] + 0.001 * g**2
                mean, square = (
                    first[i] / (1 - 0.9 ** (step + 1)),
                    second[i] / (1 - 0.999 ** (step + 1)),
                )
                parameter.sub_(LR * mean / (square.sqrt() + 1e-8))


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
    assert moved == {"adapted", "steps_done"}
