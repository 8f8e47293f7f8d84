"""Details of supervised_transfer that are easily lost."""

from __future__ import annotations

import pytest
import torch

from uda_study.errors import LabelsWithheld
from uda_study.method import Batch
from uda_study.methods.supervised_transfer import SupervisedTransfer, SupervisedTransferHyper
from uda_study.parts.segmenter_training import SegmenterHyper, SegmenterTraining
from uda_study.training.step import Stepper, begin_stage
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ"), (16, 16), (1.0, 1.0))
SEGMENTER = {"name": "dilated_fcn", "width": 2, "lr": 1e-3, "schedule": "cosine", "steps": 50}


def new_method(**changes) -> SupervisedTransfer:
    torch.manual_seed(0)
    values = {"segmenter": SEGMENTER, "steps": 4, "lr": 1e-2, **changes}
    return SupervisedTransfer(SupervisedTransferHyper.model_validate(values), TASK)


def batch(labelled: bool = True) -> Batch:
    generator = torch.Generator().manual_seed(1)
    target = torch.randn(2, 1, 16, 16, generator=generator)
    # A source that must not be read.
    source = torch.full_like(target, torch.nan)
    label = (target[:, 0] > 0).long()
    return Batch(source, torch.full_like(label, -1), target, label if labelled else None)


def test_fine_tuning_starts_from_the_trained_source_segmenter_and_leaves_it_alone():
    method = new_method()
    with torch.no_grad():
        for parameter in method.segmenter.parameters():
            parameter.add_(0.1)
    source = {name: value.clone() for name, value in method.segmenter.state_dict().items()}
    fine = method.stages()[1]
    begin_stage(fine, seed=0)
    image = batch().target_image
    method.eval()
    assert torch.equal(method.segment(image), method.segment_source(image))
    Stepper(fine.trainable, fine.name).step(batch)
    method.eval()
    assert not torch.equal(method.segment(image), method.segment_source(image))
    assert all(torch.equal(source[n], v) for n, v in method.segmenter.state_dict().items())


def test_every_layer_is_tuned():
    method = new_method()
    fine = method.stages()[1]
    begin_stage(fine, seed=0)
    Stepper(fine.trainable, fine.name).step(batch)
    pairs = zip(method.adapted.parameters(), method.segmenter.parameters(), strict=True)
    assert all(not torch.equal(tuned, source) for tuned, source in pairs)


def test_the_first_stage_is_the_one_that_all_methods_share():
    hyper = SegmenterHyper.model_validate(SEGMENTER)
    shared = SegmenterTraining(hyper.build(TASK), hyper).stage()
    first, second = new_method().stages()
    assert (first.shared, first.target) == (shared.shared, "none")
    assert (second.shared, second.target) == (None, "labels")


def test_length_and_rate_of_the_fine_tuning_are_its_own():
    fine = new_method(batch_size=3).stages()[1]
    assert (fine.steps, fine.batch_size) == (4, 3)
    stepper, rates = Stepper(fine.trainable, fine.name), []
    for _ in range(4):
        rates.append(stepper.players["segmenter"].optimiser.param_groups[0]["lr"])
        stepper.step(batch)
    assert rates == pytest.approx([1e-2, 0.854e-2, 0.5e-2, 0.146e-2], rel=1e-2)


def test_target_labels_are_needed():
    fine = new_method().stages()[1]
    with pytest.raises(LabelsWithheld):
        Stepper(fine.trainable, fine.name).step(lambda: batch(labelled=False))
