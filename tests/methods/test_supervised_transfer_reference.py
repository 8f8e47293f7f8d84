"""Two steps of supervised_transfer against the same steps written out from the equations."""

from __future__ import annotations

import torch

from uda_study.method import Batch
from uda_study.methods.supervised_transfer import SupervisedTransfer, SupervisedTransferHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ", "lesion"), (16, 16), (1.0, 1.0))
LR, L2, DICE, DECAY, TINY = 2e-3, 1e-2, 0.5, 0.8, 1e-7


def new_method() -> SupervisedTransfer:
    torch.manual_seed(0)
    hyper = SupervisedTransferHyper.model_validate(
        {
            "segmenter": {
                "name": "dilated_fcn", "width": 2, "weight_decay": L2, "dice_weight": DICE,
                "decay": DECAY, "decay_every": 1,
            },
            "lr": LR,
        }
    )  # fmt: skip
    method = SupervisedTransfer(hyper, TASK).double()
    with torch.no_grad():
        for parameter in method.segmenter.parameters():
            parameter.mul_(1.1)
    method.stages()[1].begin()
    return method


def batches(count: int) -> list[Batch]:
    generator = torch.Generator().manual_seed(1)
    drawn = []
    for _ in range(count):
        source, target = torch.randn(2, 2, 1, 16, 16, generator=generator, dtype=torch.float64)
        labels = torch.randint(0, 3, (2, 2, 16, 16), generator=generator)
        drawn.append(Batch(source, labels[0], target + 1, labels[1]))
    return drawn


def written_out(method: SupervisedTransfer, draws: list[Batch]) -> None:
    parameters = list(method.segmenter.groups.parameters())
    first, second = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    for step, batch in enumerate(draws, start=1):
        state = (batch.target_image,)
        for group in method.segmenter.groups:
            state = group(state)
        p = state[-1].softmax(1)
        y = torch.stack([batch.target_label == c for c in range(3)], 1).double()
        weight = 1 - y.mean((2, 3), keepdim=True)
        loss = -(weight * y * p.log()).sum(1).mean()
        overlap = 2 * (y * p).sum((2, 3)) / ((y**2).sum((2, 3)) + (p**2).sum((2, 3)) + TINY)
        gradients = torch.autograd.grad(loss - DICE * overlap.mean(), parameters)
        with torch.no_grad():
            for i, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
                g = gradient + (L2 * parameter if parameter.dim() > 1 else 0)
                first[i] = 0.9 * first[i] + 0.1 * g
                second[i] = 0.999 * second[i] + 0.001 * g**2
                mean = first[i] / (1 - 0.9**step)
                square = second[i] / (1 - 0.999**step)
                parameter.sub_(LR * DECAY ** (step - 1) * mean / (square.sqrt() + 1e-8))


def test_two_steps_equal_the_equations_from_the_source_weights_on():
    method, reference = new_method(), new_method()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    fine, queue = method.stages()[1], batches(2)
    stepper = Stepper(fine.trainable, fine.name)
    for _ in range(2):
        stepper.step(lambda: queue.pop(0))
    assert not queue
    # The reference trains the source segmenter itself.
    written_out(reference, batches(2))
    expected = reference.segmenter.state_dict()
    for name, value in method.adapted.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-10, msg=name)
    moved = {n.split(".")[0] for n, v in method.state_dict().items() if not v.equal(before[n])}
    assert moved == {"adapted"}
