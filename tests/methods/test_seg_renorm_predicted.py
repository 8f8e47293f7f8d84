"""Details of seg_renorm_predicted that are easily lost."""

from __future__ import annotations

import pytest
import torch

from uda_study.errors import LabelsWithheld
from uda_study.method import Batch
from uda_study.methods.seg_renorm import SegRenorm
from uda_study.methods.seg_renorm_predicted import SegRenormPredicted
from uda_study.study.hyper import hyper_names, resolve_hyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ"), (16, 16), (1.0, 1.0))
SMALL = {
    "segmenter.name": "dilated_fcn", "segmenter.width": 2, "joint.name": "dilated_fcn",
    "joint.width": 2, "joint.init_gain": 0.2, "generator.width": 2, "generator.stages": 2,
    "generator.init_gain": 0.2, "embedding.width": 2, "embedding.features": 64,
    "embedding.pool": 2, "discriminator.width": 2,
}  # fmt: skip


def new_method() -> SegRenormPredicted:
    torch.manual_seed(0)
    return SegRenormPredicted(resolve_hyper(SegRenormPredicted, SMALL), TASK)


def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    source, target = torch.randn(2, 2, 1, 16, 16, generator=generator)
    return Batch(source, torch.randint(0, 2, (2, 16, 16), generator=generator), target + 1)


def test_it_is_trained_on_target_images_without_labels():
    method = new_method()
    given = batch()
    with pytest.raises(LabelsWithheld):
        _ = given.target_label
    Stepper(method, "translate").step(lambda: given)
    assert [stage.target for stage in method.stages()] == ["none", "images"]


def test_the_labels_are_what_the_method_would_predict_at_the_test():
    method, given = new_method(), batch()
    method.eval()
    with torch.no_grad():
        expected = method.segment(given.target_image).argmax(1)
    assert 0 < float(expected.float().mean()) < 1, "both classes have to occur"
    method.train()
    used = []

    def updates(source, target):
        used.extend([source.label, target.label])
        return iter(())

    method.cycle.updates = updates
    list(method.updates(lambda: given))
    assert torch.equal(used[0], given.source_label)
    assert torch.equal(used[1], expected)


def test_dropout_is_back_after_the_prediction():
    method, given = new_method(), batch()
    first, second = (next(method.updates(lambda: given)).losses["cycle"] for _ in range(2))
    assert not torch.equal(first, second)


def test_it_has_the_hyperparameters_of_seg_renorm():
    assert hyper_names(SegRenormPredicted) == hyper_names(SegRenorm)
