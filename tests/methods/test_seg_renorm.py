"""Details of seg_renorm that are easily lost."""

from __future__ import annotations

import pytest
import torch

from uda_study.errors import InputError
from uda_study.method import Batch
from uda_study.methods.seg_renorm import SegRenorm
from uda_study.study.hyper import flatten_hyper, resolve_hyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ"), (16, 16), (1.0, 1.0))
SMALL = {
    "segmenter.name": "dilated_fcn", "segmenter.width": 2, "joint.name": "dilated_fcn",
    "joint.width": 2, "joint.init_gain": 0.2, "generator.width": 2, "generator.stages": 2,
    "generator.init_gain": 0.2, "embedding.width": 2, "embedding.features": 4,
    "embedding.pool": 2, "discriminator.width": 2,
}  # fmt: skip


def new_method(**changes) -> SegRenorm:
    torch.manual_seed(0)
    return SegRenorm(resolve_hyper(SegRenorm, {**SMALL, **changes}), TASK)


def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    source, target = torch.randn(2, 2, 1, 16, 16, generator=generator)
    labels = torch.randint(0, 2, (2, 2, 16, 16), generator=generator)
    return Batch(source, labels[0], target + 1, labels[1])


def test_the_frozen_source_segmenter_segments_what_was_translated():
    method = new_method().eval()
    image = batch().target_image
    assert torch.equal(method.segment(image), method.segmenter(method.translate(image)))
    assert torch.equal(method.segment_source(image), method.segmenter(image))


def test_training_leaves_the_source_segmenter_alone():
    method = new_method()
    before = {name: value.clone() for name, value in method.segmenter.state_dict().items()}
    Stepper(method, "translate").step(batch)
    after = method.segmenter.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_images_are_steered_by_the_segmenter_of_the_domain_they_come_from():
    method = new_method().eval()
    image = batch().target_image
    translated, restored = method.translate(image), method.restore(image)
    with torch.no_grad():
        for parameter in method.cycle.to_source.segmenter.parameters():
            parameter.mul_(-2)
    assert not torch.allclose(method.translate(image), translated)
    assert torch.equal(method.restore(image), restored)


def test_the_embedding_drops_out_in_training_alone():
    method = new_method(**{"embedding.dropout": 0.9, "embedding.features": 64})
    image = batch().target_image
    method.train()
    assert not torch.equal(method.translate(image), method.translate(image))
    method.eval()
    assert torch.equal(method.translate(image), method.translate(image))


def test_target_labels_train_real_and_translated_images():
    given = batch()
    other = Batch(
        given.source_image, given.source_label, given.target_image, 1 - given.target_label
    )
    first, second = (
        next(new_method(**{"embedding.dropout": 0.0}).updates(lambda b=b: b)).losses
        for b in (given, other)
    )
    differing = {name for name, loss in first.items() if not torch.equal(loss, second[name])}
    assert differing == {"real", "fake"}


def test_naming_one_value_keeps_the_published_others():
    values = flatten_hyper(resolve_hyper(SegRenorm, {"optim.lr": 1e-3, "discriminator.width": 8}))
    assert (values["optim.lr"], values["optim.discriminator_lr"]) == (1e-3, 0.5)
    assert (values["discriminator.layers"], values["discriminator.spectral"]) == (2, True)


def test_class_weights_that_fit_no_task_are_refused():
    with pytest.raises(InputError, match=r"loss\.class_weights"):
        new_method(**{"loss.class_weights": [0.1, 0.2, 0.7]})
