"""Details of self_ensembling that are easily lost."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from uda_study.method import Batch
from uda_study.methods.self_ensembling import SelfEnsembling, SelfEnsemblingHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ", "lesion"), (16, 16), (1.0, 1.0))


def new_method(**changes) -> SelfEnsembling:
    segmenter = {"name": "dilated_fcn", "width": 2, **changes.pop("segmenter", {})}
    torch.manual_seed(0)
    values = {"segmenter": segmenter, "lr": 1e-2, **changes}
    method = SelfEnsembling(SelfEnsemblingHyper.model_validate(values), TASK)
    method.stages()[1].begin()
    return method


def draw() -> Batch:
    generator = torch.Generator().manual_seed(1)
    source, target = torch.randn(2, 2, 1, 16, 16, generator=generator)
    label = torch.randint(0, 3, (2, 16, 16), generator=generator)
    return Batch(source, label, target + 1)


def flat(network: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def watch(network: nn.Module) -> list[torch.Tensor]:
    seen: list[torch.Tensor] = []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    return seen


def test_the_published_constants_are_the_defaults():
    hyper = SelfEnsemblingHyper()
    assert (hyper.decay, hyper.consistency_weight, hyper.perturbation.noise) == (0.99, 3.0, 0.1)


def test_the_teacher_follows_once_the_students_step_is_taken():
    method = new_method(decay=0.9)
    start = flat(method.teacher)
    updates = method.updates(draw)
    next(updates)
    with torch.no_grad():
        for parameter in method.student.parameters():
            parameter.add_(1.0)
    assert torch.equal(flat(method.teacher), start)
    assert next(updates, None) is None
    torch.testing.assert_close(flat(method.teacher), 0.9 * start + 0.1 * (start + 1))


def test_the_teacher_belongs_to_no_player_and_gets_no_gradient():
    method = new_method()
    (player,) = method.players().values()
    trained = {id(p) for group in player.optimiser.param_groups for p in group["params"]}
    assert trained == {id(p) for p in method.student.parameters()}
    loss = sum(next(method.updates(draw)).losses.values())
    gradients = torch.autograd.grad(loss, list(method.teacher.parameters()), allow_unused=True)
    assert all(gradient is None for gradient in gradients)


def test_segment_asks_the_teacher():
    method = new_method()
    Stepper(method, "adapt").step(draw)
    method.eval()
    image = draw().target_image
    assert torch.equal(method.segment(image), method.teacher(image))
    assert not torch.equal(method.segment(image), method.student(image))


def test_student_and_teacher_see_the_target_perturbed_differently():
    method = new_method()
    by_student, by_teacher = watch(method.student), watch(method.teacher)
    next(method.updates(draw))
    source, target = by_student
    (taught,) = by_teacher
    assert not torch.equal(source, draw().source_image)
    assert not torch.allclose(target, taught, atol=0.05)
    assert not torch.allclose(taught, draw().target_image, atol=0.05)


def test_without_perturbation_equal_networks_agree():
    method = new_method(perturbation={"noise": 0.0, "gamma": 1.0}, ramp=0)
    assert float(next(method.updates(draw)).losses["consistency"].detach()) == 0.0


def test_the_ramp_raises_the_weight_with_the_steps_taken():
    steps = []
    for done in (0, 1, 2, 9):
        method = new_method(ramp=2)
        method.steps_done.fill_(done)
        torch.manual_seed(3)
        steps.append(float(next(method.updates(draw)).losses["consistency"].detach()))
    assert [s / steps[-1] for s in steps] == pytest.approx([0.0067, 0.2865, 1.0, 1.0], rel=1e-2)


def test_begin_takes_the_source_weights_and_restarts_the_ramp():
    method = new_method()
    Stepper(method, "adapt").step(draw)
    with torch.no_grad():
        for parameter in method.segmenter.parameters():
            parameter.add_(0.1)
    assert int(method.steps_done) == 1
    method.stages()[1].begin()
    assert int(method.steps_done) == 0
    assert torch.equal(flat(method.student), flat(method.segmenter))
    assert torch.equal(flat(method.teacher), flat(method.segmenter))


def test_the_teachers_batch_statistics_are_those_of_the_target_alone():
    method = new_method(
        segmenter={"norm": "batch"}, perturbation={"noise": 0.0, "gamma": 1.0}, lr=1e-12
    )
    expected = new_method(segmenter={"norm": "batch"}).teacher.train()
    expected(draw().target_image)
    Stepper(method, "adapt").step(draw)
    for name, value in method.teacher.named_buffers():
        torch.testing.assert_close(value, dict(expected.named_buffers())[name])


def test_dropout_is_active_in_the_teacher():
    method = new_method(
        segmenter={"dropout": 0.5}, perturbation={"noise": 0.0, "gamma": 1.0}, ramp=0
    )
    assert float(next(method.updates(draw)).losses["consistency"].detach()) > 0


def test_source_images_are_augmented_as_in_the_first_training():
    method = new_method(segmenter={"augmentation": "gamma"})
    assert [stage.augmentation for stage in method.stages()] == ["gamma", "gamma"]
