"""Details of joint_domain that are easily lost."""

from __future__ import annotations

import pytest
import torch

from uda_study.method import Batch
from uda_study.methods.joint_domain import JointDomain, JointDomainHyper
from uda_study.training.step import Stepper, begin_stage
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ"), (16, 16), (1.0, 1.0))


def new_joint(**changes) -> JointDomain:
    values = {
        "segmenter": {"name": "dilated_fcn", "width": 2, "steps": 7, "batch_size": 3},
        "autoencoder": {"width": 2, "blocks": 1, "style_size": 3},
        "critic": {"width": 2, "stages": 1, "scales": 1},
        **changes,
    }
    torch.manual_seed(0)
    return JointDomain(JointDomainHyper.model_validate(values), TASK)


def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    source, target = torch.randn(2, 2, 1, 16, 16, generator=generator)
    labels = torch.randint(0, 2, (2, 2, 16, 16), generator=generator)
    return Batch(source, labels[0], target, labels[1])


def test_raw_images_need_no_disentangling():
    raw, content = new_joint(content="raw"), new_joint()
    assert [s.name for s in raw.stages()] == ["source_segmenter", "joint_segmenter"]
    assert [s.name for s in content.stages()] == [
        "source_segmenter", "disentangle", "joint_segmenter",
    ]  # fmt: skip
    assert not any("disentangling" in name for name in raw.state_dict())


@pytest.mark.parametrize("content", ["raw", "disentangled"])
def test_labels_of_the_target_are_read_by_the_joint_segmenter_alone(content):
    stages = new_joint(content=content).stages()
    assert stages[-1].target == "labels"
    assert all(stage.target != "labels" for stage in stages[:-1])


def test_each_domain_has_as_many_steps_and_images_as_alone():
    joint = new_joint()
    alone, together = joint.stages()[0], joint.stages()[-1]
    assert (together.steps, together.batch_size) == (alone.steps, alone.batch_size) == (7, 3)
    image, label = together.trainable.examples(batch())
    assert len(image) == len(label) == 4


@pytest.mark.parametrize("content", ["raw", "disentangled"])
def test_the_segmenter_is_tested_on_what_it_was_trained_on(content):
    joint = new_joint(content=content).eval()
    drawn = batch()
    image, label = joint.stages()[-1].trainable.examples(drawn)
    assert torch.equal(label, torch.cat([drawn.source_label, drawn.target_label]))
    logits = joint.segment(drawn.target_image)
    torch.testing.assert_close(joint.joint_segmenter(image[2:]), logits, rtol=0, atol=1e-6)
    if content == "raw":
        assert torch.equal(image, torch.cat([drawn.source_image, drawn.target_image]))
    else:
        networks = joint.disentangling
        assert torch.equal(image[:2], networks.content_only(drawn.source_image, "source"))
        assert torch.equal(image[2:], networks.content_only(drawn.target_image, "target"))


def test_both_arms_begin_with_the_same_segmenters():
    first, second = new_joint(content="raw"), new_joint()
    for joint in (first, second):
        begin_stage(joint.stages()[-1], 0)
    for name in ("segmenter", "joint_segmenter"):
        pairs = zip(
            getattr(first, name).parameters(), getattr(second, name).parameters(), strict=True
        )
        assert all(torch.equal(a, b) for a, b in pairs), name


def test_only_the_joint_segmenter_learns_in_its_stage():
    joint = new_joint()
    before = {name: value.clone() for name, value in joint.state_dict().items()}
    stage = joint.stages()[-1]
    Stepper(stage.trainable, stage.name).step(batch)
    changed = {n.split(".")[0] for n, v in joint.state_dict().items() if not v.equal(before[n])}
    assert changed == {"joint_segmenter"}


def test_features_of_both_domains_are_maps_of_the_content():
    joint = new_joint(content_decode="features").eval()
    image, _ = joint.stages()[-1].trainable.examples(batch())
    assert image.shape == (4, 8, 16, 16)
    assert joint.segment(batch().target_image).shape == (2, 2, 16, 16)
