"""Details of min_entropy that are easily lost."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from uda_study.method import Batch
from uda_study.methods.min_entropy import MinEntropy, MinEntropyHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ", "lesion"), (16, 16), (1.0, 1.0))


def new_method(**changes) -> MinEntropy:
    segmenter = {"name": "dilated_fcn", "width": 2, **changes.pop("segmenter", {})}
    torch.manual_seed(0)
    method = MinEntropy(MinEntropyHyper.model_validate({"segmenter": segmenter, **changes}), TASK)
    method.stages()[1].begin()
    return method


def draw() -> Batch:
    generator = torch.Generator().manual_seed(1)
    source, target = torch.randn(2, 2, 1, 16, 16, generator=generator)
    label = torch.randint(0, 3, (2, 16, 16), generator=generator)
    return Batch(source, label, target + 1)


def losses(method: MinEntropy) -> dict[str, float]:
    return {n: float(v.detach()) for n, v in next(method.updates(draw)).losses.items()}


def test_the_published_weight_is_the_default_and_has_no_ramp():
    assert (MinEntropyHyper().entropy_weight, MinEntropyHyper().ramp) == (1e-3, 0)


def test_the_weight_scales_the_entropy_alone():
    small, large = losses(new_method(entropy_weight=0.1)), losses(new_method(entropy_weight=1))
    assert large["entropy"] == pytest.approx(10 * small["entropy"])
    assert (large["cross_entropy"], large["dice"]) == (small["cross_entropy"], small["dice"])
    assert 0 < large["entropy"] <= 1


def test_the_ramp_raises_the_weight_with_the_steps_taken():
    method = new_method(ramp=2, lr=1e-12)
    stepper, seen = Stepper(method, "adapt"), []
    for _ in range(4):
        seen.append(float(stepper.step(draw)["segmenter/entropy"]))
    shares = [value / seen[-1] for value in seen]
    assert shares == pytest.approx([0.0067, 0.2865, 1.0, 1.0], rel=1e-2)


def test_certainty_on_the_target_rises_faster_than_without_the_entropy():
    certainty = []
    for weight in (0.0, 1.0):
        method = new_method(entropy_weight=weight, lr=3e-3)
        stepper = Stepper(method, "adapt")
        for _ in range(15):
            stepper.step(draw)
        with torch.no_grad():
            certainty.append(float(method.segment(draw().target_image).softmax(1).amax(1).mean()))
    assert certainty[1] > certainty[0] + 0.02


def test_the_source_segmenter_stays_and_the_adapted_one_starts_from_it():
    method = new_method()
    with torch.no_grad():
        for parameter in method.segmenter.parameters():
            parameter.add_(0.1)
    method.steps_done.fill_(7)
    method.stages()[1].begin()
    image = draw().target_image
    assert int(method.steps_done) == 0
    assert torch.equal(method.segment(image), method.segment_source(image))
    before = method.segment_source(image)
    Stepper(method, "adapt").step(draw)
    assert not torch.equal(method.segment(image), before)
    assert torch.equal(method.segment_source(image), before)


def test_batch_statistics_see_one_domain_at_a_time():
    method = new_method(segmenter={"norm": "batch"})
    layer = next(m for m in method.adapted.modules() if isinstance(m, nn.BatchNorm2d))
    seen = []
    layer.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    Stepper(method, "adapt").step(draw)
    assert seen == [2, 2]


def test_source_images_are_augmented_as_in_the_first_training():
    method = new_method(segmenter={"augmentation": "gamma"})
    assert [stage.augmentation for stage in method.stages()] == ["gamma", "gamma"]
