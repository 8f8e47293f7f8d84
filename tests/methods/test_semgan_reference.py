"""Two steps of semgan against the same steps written out, on images with classes left out."""

from __future__ import annotations

import copy
import random

import segmented_cycle_equations as equations
import torch

from uda_study.methods import semgan
from uda_study.methods.semgan import Semgan, SemganHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, equations.CLASSES, (equations.SIZE, equations.SIZE), (1.0, 1.0))


def new_method() -> Semgan:
    torch.manual_seed(0)
    values = {**equations.HYPER, "semantic_dropout": 1.0}
    return Semgan(SemganHyper.model_validate(values), TASK).double()


def voxels(label: torch.Tensor, classes: list[list[int]]) -> torch.Tensor:
    """1 where a sample's label is one of its classes, else 0."""
    masks = [
        sum((one == c).double() for c in kept) for one, kept in zip(label, classes, strict=True)
    ]
    return torch.stack(masks).unsqueeze(1)


def test_two_steps_equal_the_equations(monkeypatch):
    choose = random.Random(0)
    chosen = [
        [choose.sample(range(3), choose.choice([1, 2])) for _ in range(2)]
        for _ in range(equations.STEPS)
    ]
    queue = [torch.tensor([[c in kept for c in range(3)] for kept in pair]) for pair in chosen]
    monkeypatch.setattr(semgan, "kept_classes", lambda *_: queue.pop(0))
    method, reference = new_method(), new_method()
    before = copy.deepcopy(method.state_dict())
    stepper, written_out = Stepper(method, "translate"), equations.WrittenOut(reference.cycle)
    for batch, classes in zip(equations.batches(), chosen, strict=True):
        stepper.step(lambda batch=batch: batch)
        kept_x, kept_y = voxels(batch.target_label, classes), voxels(batch.source_label, classes)
        written_out.train(
            batch.target_image * kept_x,
            batch.target_label,
            batch.source_image * kept_y,
            batch.source_label,
            kept=(kept_x, kept_y),
        )
    equations.assert_same_weights(method, reference, before)
