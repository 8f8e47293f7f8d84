"""Two steps of seg_renorm against the same steps written out from the paper's equations."""

from __future__ import annotations

import copy

import segmented_cycle_equations as equations
import torch

from uda_study.methods.seg_renorm import SegRenorm
from uda_study.parts.renormalising import RenormalisingHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, equations.CLASSES, (equations.SIZE, equations.SIZE), (1.0, 1.0))


def new_method() -> SegRenorm:
    torch.manual_seed(0)
    values = {**equations.HYPER, "embedding": equations.EMBEDDING}
    return SegRenorm(RenormalisingHyper.model_validate(values), TASK).double()


def test_two_steps_equal_the_equations():
    method, reference = new_method(), new_method()
    before = copy.deepcopy(method.state_dict())
    stepper, written_out = Stepper(method, "translate"), equations.WrittenOut(reference.cycle)
    for batch in equations.batches():
        stepper.step(lambda batch=batch: batch)
        written_out.train(
            batch.target_image, batch.target_label, batch.source_image, batch.source_label
        )
    equations.assert_same_weights(method, reference, before)
