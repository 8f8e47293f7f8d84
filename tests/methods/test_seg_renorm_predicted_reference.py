"""Two steps of seg_renorm_predicted against the paper's with predictions as target labels."""

from __future__ import annotations

import copy

import segmented_cycle_equations as equations
import torch

from uda_study.method import Batch
from uda_study.methods.seg_renorm_predicted import SegRenormPredicted
from uda_study.parts.renormalising import RenormalisingHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, equations.CLASSES, (equations.SIZE, equations.SIZE), (1.0, 1.0))


def new_method() -> SegRenormPredicted:
    torch.manual_seed(0)
    values = {**equations.HYPER, "embedding": equations.EMBEDDING}
    return SegRenormPredicted(RenormalisingHyper.model_validate(values), TASK).double()


def test_two_steps_equal_the_equations():
    method, reference = new_method(), new_method()
    before = copy.deepcopy(method.state_dict())
    stepper, written_out = Stepper(method, "translate"), equations.WrittenOut(reference.cycle)
    for batch in equations.batches():
        x, y = batch.target_image, batch.source_image
        stepper.step(lambda x=x, y=y, batch=batch: Batch(y, batch.source_label, x))
        with torch.no_grad():
            predicted = reference.segmenter(written_out.G(x, written_out.S(x))).argmax(1)
        written_out.train(x, predicted, y, batch.source_label)
    equations.assert_same_weights(method, reference, before)
