from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from uda_study.errors import InputError
from uda_study.nets.patch_discriminator import receptive_field
from uda_study.parts.renormalising import (
    CycleLossHyper,
    ExtractorHyper,
    JointSegmenterHyper,
    Labelled,
    RenormalisingHyper,
    SegmentedCycle,
    SegmentedCycleHyper,
    TranslatorHyper,
)
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ", "lesion"), (16, 16), (1.0, 1.0))
SMALL = {
    "generator": {"width": 2, "stages": 2, "init_gain": 0.2},
    "joint": {"name": "dilated_fcn", "width": 2, "init_gain": 0.2},
    "discriminator": {"design": "patchgan", "width": 2, "layers": 2, "norm": "none"},
}


def new_cycle(**changes) -> SegmentedCycle:
    torch.manual_seed(0)
    hyper = SegmentedCycleHyper.model_validate({**SMALL, **changes})
    extractor = ExtractorHyper(features=4, width=2, pool=2, dropout=0.0).design(TASK)
    return SegmentedCycle(hyper, TASK, extractor)


def example(seed: int, kept: torch.Tensor | None = None) -> Labelled:
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(2, 1, 16, 16, generator=generator)
    label = torch.randint(0, 3, (2, 16, 16), generator=generator)
    return Labelled(image if kept is None else image * kept, label, kept)


def losses_of(cycle: SegmentedCycle, *examples: Labelled) -> dict[str, dict[str, torch.Tensor]]:
    return {update.player: dict(update.losses) for update in cycle.updates(*examples)}


def reached(loss: torch.Tensor, *modules: nn.Module) -> list[bool]:
    """Tell which modules a loss would train."""
    answers = []
    for module in modules:
        gradients = torch.autograd.grad(
            loss, list(module.parameters()), retain_graph=True, allow_unused=True
        )
        answers.append(any(g is not None and bool(g.abs().max() > 0) for g in gradients))
    return answers


def test_defaults_are_the_published_ones():
    hyper = RenormalisingHyper()
    assert (hyper.loss.adversarial, hyper.loss.cycle) == (1.0, 10.0)
    assert (hyper.loss.real, hyper.loss.fake, hyper.loss.class_weights) == (1.0, 1.0, (0.5, 0.5))
    assert (hyper.optim.lr, hyper.optim.lr * hyper.optim.discriminator_lr) == (2e-4, 1e-4)
    assert (hyper.optim.beta1, hyper.optim.beta2) == (0.5, 0.999)
    assert (hyper.joint.name, hyper.joint.width, hyper.batch_size) == ("res_unet", 64, 4)
    assert hyper.generator.init_gain == hyper.joint.init_gain == 0.02
    embedding = hyper.embedding
    assert (embedding.width, embedding.features, embedding.pool) == (64, 512, 7)
    assert embedding.dropout == 0.5


def test_the_published_discriminator_sees_34_voxels_and_bounds_all_layers_but_the_last():
    hyper = SegmentedCycleHyper().discriminator
    assert receptive_field(hyper.layers, hyper.design) == 34
    layers = [m for m in hyper.build(TASK).modules() if isinstance(m, nn.Conv2d)]
    assert [is_parametrized(layer, "weight") for layer in layers] == [True, True, True, False]
    assert not [m for m in hyper.build(TASK).modules() if isinstance(m, nn.GroupNorm)]


def test_initial_weights_have_the_named_deviation():
    hyper = TranslatorHyper(width=16, stages=2, init_gain=0.3)
    generator = hyper.build(TASK, ExtractorHyper(width=8).design(TASK))
    segmenter = JointSegmenterHyper(name="dilated_fcn", width=16, init_gain=0.3).build(TASK)
    for module in (generator, segmenter):
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear) and layer.weight.numel() > 1000:
                assert float(layer.weight.detach().std()) == pytest.approx(0.3, rel=0.1)


def test_a_step_trains_the_generators_first_and_the_discriminators_on_the_same_images():
    cycle = new_cycle()
    shown: dict[nn.Module, list[torch.Tensor]] = {cycle.of_source: [], cycle.of_target: []}
    for judge, images in shown.items():
        judge.register_forward_hook(lambda _, given, __, images=images: images.append(given[0]))
    source, target = example(0), example(1)
    assert [u.player for u in cycle.updates(source, target)] == ["generators", "discriminators"]
    for judge, real in ((cycle.of_source, source), (cycle.of_target, target)):
        fake, both = shown[judge]
        assert torch.equal(both, torch.cat([real.image, fake]))
        assert fake.requires_grad
        assert not both.requires_grad


def test_each_term_trains_what_the_paper_says():
    cycle = new_cycle()
    losses = next(cycle.updates(example(0), example(1))).losses
    to_source, to_target = cycle.to_source, cycle.to_target
    parts = (to_source.generator, to_source.segmenter, to_target.generator, to_target.segmenter)
    # The segmentation steers its generator, so what trains the one trains the other.
    assert reached(losses["of_source"], *parts) == [True, True, False, False]
    assert reached(losses["of_target"], *parts) == [False, False, True, True]
    assert reached(losses["cycle"], *parts) == [True] * 4
    assert reached(losses["real"], *parts) == [False, True, False, True]
    assert reached(losses["fake"], *parts) == [True] * 4


def test_the_segmenter_of_the_other_domain_sees_translated_images():
    cycle = new_cycle()
    seen: dict[str, list[torch.Tensor]] = {"of target": [], "of source": []}
    for name, translator in (("of target", cycle.to_source), ("of source", cycle.to_target)):
        translator.segmenter.register_forward_hook(
            lambda _, given, __, name=name: seen[name].append(given[0])
        )
    source, target = example(0), example(1)
    next(cycle.updates(source, target))
    shown = {name: torch.cat(images) for name, images in seen.items()}
    with torch.no_grad():
        fake_target, fake_source = (
            cycle.to_target(source.image)[0],
            cycle.to_source(target.image)[0],
        )
    for name, real, fake in (
        ("of target", target.image, fake_target),
        ("of source", source.image, fake_source),
    ):
        torch.testing.assert_close(shown[name], torch.cat([real, fake]))


def test_two_class_weights_are_of_background_and_structures():
    weights = CycleLossHyper(class_weights=(0.3, 0.7)).weights_of(TASK)
    assert weights == (0.3, 0.7, 0.7)
    assert CycleLossHyper(class_weights=(0.1, 0.2, 0.7)).weights_of(TASK) == (0.1, 0.2, 0.7)
    with pytest.raises(InputError, match=r"must be two weights, .* or 3, one per class"):
        CycleLossHyper(class_weights=(0.1, 0.2, 0.3, 0.4)).weights_of(TASK)


def test_voxels_that_are_not_kept_count_in_no_loss():
    kept = torch.ones(2, 1, 16, 16)
    kept[:, :, 4:9] = 0
    source, target = example(0, kept), example(1, kept)
    label = target.label.clone()
    label[:, 4:9] = (label[:, 4:9] + 1) % 3
    first = losses_of(new_cycle(), source, target)
    second = losses_of(new_cycle(), source, Labelled(target.image, label, kept))
    for player, losses in first.items():
        for name, loss in losses.items():
            assert torch.equal(loss, second[player][name]), name
    fakes = []
    cycle = new_cycle()
    cycle.of_source.register_forward_hook(lambda _, given, __: fakes.append(given[0]))
    losses_of(cycle, source, target)
    assert all(not bool((images * (1 - kept[:1])).any()) for images in fakes)


def test_a_patch_that_is_too_small_for_the_stages_is_refused():
    with pytest.raises(InputError, match="4 stages leave nothing to normalise of a patch"):
        TranslatorHyper().build(TASK, None)


def test_the_distance_is_zero_where_the_discriminator_cannot_tell():
    cycle = new_cycle().eval()
    with torch.no_grad():
        for parameter in cycle.of_source.layers[-1].parameters():
            parameter.zero_()
        assert float(cycle.distance(example(0).image, example(1).image)) == 0.0


def test_all_networks_move_in_one_step():
    cycle = new_cycle()

    class Training(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cycle = cycle
            self.players = cycle.players

        def updates(self, draw):
            return cycle.updates(*draw())

    before = {name: value.clone() for name, value in cycle.named_parameters()}
    Stepper(Training(), "translate").step(lambda: (example(0), example(1)))
    still = {n for n, v in cycle.named_parameters() if torch.equal(v, before[n])}
    assert still == set()
