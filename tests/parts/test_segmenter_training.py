from __future__ import annotations

import pytest
import torch

from uda_study.errors import InputError, LabelsWithheld
from uda_study.method import Batch
from uda_study.parts.segmenter_training import SegmenterHyper, SegmenterTraining
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ"), (16, 16), (1.0, 1.0))
TINY = {"name": "dilated_fcn", "width": 2}


def training(side: str = "source", **changes) -> SegmenterTraining:
    torch.manual_seed(0)
    hyper = SegmenterHyper.model_validate({**TINY, **changes})
    return SegmenterTraining(hyper.build(TASK), hyper, side)


def batch(target_label: bool = False) -> Batch:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(2, 2, 1, 2, 2, generator=generator)
    images = coarse.repeat_interleave(8, dim=3).repeat_interleave(8, dim=4)
    labels = (images[:, :, 0] > 0).long()
    return Batch(images[0], labels[0], images[1], labels[1] if target_label else None)


def test_the_published_defaults_follow_the_named_network():
    assert (SegmenterHyper().width, SegmenterHyper().dropout) == (16, 0.25)
    assert (SegmenterHyper(name="unet").width, SegmenterHyper(name="unet").dropout) == (32, 0)
    assert SegmenterHyper(name="dilated_fcn", width=5).width == 5
    settings = SegmenterHyper()
    assert (settings.lr, settings.decay, settings.decay_every) == (1e-3, 0.95, 1500)
    assert (settings.batch_size, settings.weight_decay) == (5, 1e-4)


def test_one_step_is_adam_on_cross_entropy_minus_dice():
    ours = training(weight_decay=0.01, dice_weight=0.5)
    theirs = training(weight_decay=0.01).segmenter
    Stepper(ours, "source").step(batch)
    weights = [p for p in theirs.parameters() if p.dim() > 1]
    others = [p for p in theirs.parameters() if p.dim() == 1]
    adam = torch.optim.Adam([{"params": weights, "weight_decay": 0.01}, {"params": others}], 1e-3)
    probability = theirs(batch().source_image).softmax(1)
    truth = torch.stack([batch().source_label == 0, batch().source_label == 1], 1).float()
    share = truth.mean((2, 3), keepdim=True)
    entropy = -((1 - share) * truth * probability.log()).sum(1).mean()
    overlap = 2 * (truth * probability).sum((2, 3))
    dice = (overlap / ((truth**2).sum((2, 3)) + (probability**2).sum((2, 3)))).mean()
    (entropy - 0.5 * dice).backward()
    adam.step()
    for mine, expected in zip(ours.segmenter.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, expected, rtol=0, atol=1e-6)


def test_the_loss_falls_when_the_task_can_be_learned():
    stepper = Stepper(training(lr=1e-2), "source")
    losses = [sum(float(v) for v in stepper.step(batch).values()) for _ in range(30)]
    assert losses[-1] < losses[0] - 0.3


def test_source_and_target_side_are_never_shared():
    assert training("source").stage().shared != training("target").stage().shared
    assert training("source").stage().target == "none"
    assert training("target").stage().target == "labels"


def test_the_shared_key_covers_every_setting():
    changed = {
        "name": "unet", "width": 3, "norm": "batch", "dropout": 0.1, "steps": 7, "batch_size": 3,
        "optimiser": "sgd", "lr": 1.0, "schedule": "cosine", "decay": 0.5, "decay_every": 9,
        "weight_decay": 0.5,
        "dice_weight": 0.5, "class_weights": "none",
    }  # fmt: skip
    # The facts of a stage's data say what is augmented with.
    assert set(changed) == set(SegmenterHyper.model_fields) - {"augmentation"}
    usual = SegmenterTraining(None, SegmenterHyper.model_validate(TINY)).shared_key()
    for name, value in changed.items():
        other = SegmenterHyper.model_validate({**TINY, name: value})
        assert SegmenterTraining(None, other).shared_key() != usual


def test_the_source_is_augmented_where_it_is_shown_as_it_is():
    assert training("source").stage().augmentation == "study"
    own = training("source", augmentation="gamma").own_stage("again", "none")
    assert own.augmentation == "gamma"
    assert training("target", augmentation="gamma").stage().augmentation == "none"
    hyper = SegmenterHyper.model_validate(TINY)
    translated = SegmenterTraining(None, hyper, examples=lambda b: (b.source_image, b.source_label))
    assert translated.own_stage("translated", "images").augmentation == "none"


def test_the_target_side_needs_labels_that_the_stage_may_read():
    Stepper(training("target"), "target").step(lambda: batch(target_label=True))
    with pytest.raises(LabelsWithheld):
        Stepper(training("target"), "target").step(batch)


def test_schedules_reach_the_optimiser():
    stepper = Stepper(training(schedule="cosine", steps=4), "source")
    rates = []
    for _ in range(5):
        rates.append(stepper.players["segmenter"].optimiser.param_groups[1]["lr"])
        stepper.step(batch)
    assert rates == pytest.approx([1e-3, 0.854e-3, 0.5e-3, 0.146e-3, 0], abs=1e-6)


def test_a_patch_that_shrinks_to_one_voxel_is_refused():
    with pytest.raises(InputError, match="must exceed 16 voxels along one side"):
        SegmenterHyper(name="unet").build(TASK)
    SegmenterHyper(name="unet", width=2, norm="none").build(TASK)
