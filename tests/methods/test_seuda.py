"""Details of seuda that are easily lost."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from uda_study.method import AdaptsSegmenter, Batch, Criticises, Restores, Translates
from uda_study.methods.seuda import Seuda, SeudaHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "left", "right"), (32, 32), (1.0, 1.0))


def new_seuda(**changes) -> Seuda:
    segmenter = {"name": "dilated_fcn", "width": 2, **changes.pop("segmenter", {})}
    values = {
        "segmenter": segmenter,
        "generator": {"width": 2, "blocks": 1},
        "discriminator": {"width": 2, "layers": 2},
        **changes,
    }
    torch.manual_seed(0)
    return Seuda(SeudaHyper.model_validate(values), TASK)


def draw() -> Batch:
    source, target = torch.randn(2, 2, 1, 32, 32)
    return Batch(source, torch.randint(0, 3, (2, 32, 32)), target + 1)


def semantic_loss(method: Seuda) -> Tensor:
    torch.manual_seed(1)
    return next(method.updates(draw)).losses["semantic"]


def of_maps_sees(method: Seuda) -> list[Tensor]:
    seen: list[Tensor] = []
    method.semantic.discriminator.register_forward_pre_hook(
        lambda _, given: seen.append(given[0].detach().clone())
    )
    list(method.updates(draw))
    return seen


def test_the_semantic_weight_is_lambda_of_the_paper():
    assert SeudaHyper().semantic.weight == 0.5
    usual = float(semantic_loss(new_seuda()).detach())
    doubled = float(semantic_loss(new_seuda(semantic={"weight": 1.0})).detach())
    assert doubled == pytest.approx(2 * usual)


def test_the_semantic_gradient_passes_through_the_segmenter_into_one_generator():
    method = new_seuda()
    loss = semantic_loss(method)
    generators = method.cycle.generators
    to_source = torch.autograd.grad(
        loss, list(generators["to_source"].parameters()), retain_graph=True, allow_unused=True
    )
    assert all(gradient is not None for gradient in to_source)
    assert sum(float(gradient.abs().sum()) for gradient in to_source) > 0
    to_target = torch.autograd.grad(
        loss, list(generators["to_target"].parameters()), allow_unused=True
    )
    assert all(gradient is None for gradient in to_target)


def test_the_segmenter_is_frozen_and_in_evaluation_mode():
    method = new_seuda(segmenter={"dropout": 0.5, "norm": "batch"})
    trained = {id(p) for q in method.players().values() for p in _parameters(q.optimiser)}
    assert not any(id(parameter) in trained for parameter in method.segmenter.parameters())
    before = {name: value.clone() for name, value in method.segmenter.state_dict().items()}
    method.train()
    Stepper(method, "translate").step(draw)
    assert not any(module.training for module in method.segmenter.modules())
    assert all(torch.equal(before[n], v) for n, v in method.segmenter.state_dict().items())


def _parameters(optimiser: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [p for group in optimiser.param_groups for p in group["params"]]


def test_drawn_maps_are_hard_and_predicted_ones_are_probabilities():
    _, judged = of_maps_sees(new_seuda(cycle={"pool_size": 0}))
    drawn, predicted = judged[:2], judged[2:]
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(predicted.sum(1), torch.ones(2, 32, 32))
    assert 0 < float(predicted.min()) < float(predicted.max()) < 1


def test_smoothing_takes_certainty_from_drawn_maps_only():
    _, hard = of_maps_sees(new_seuda(cycle={"pool_size": 0}))
    _, smooth = of_maps_sees(new_seuda(cycle={"pool_size": 0}, semantic={"smoothing": 0.3}))
    assert smooth[:2].unique().tolist() == pytest.approx([0.1, 0.8])
    torch.testing.assert_close(smooth[2:].sum(1), hard[2:].sum(1))


def test_the_ramp_raises_the_weight_linearly_and_survives_a_resume():
    method = new_seuda(semantic={"ramp": 2, "weight": 1.0})
    stepper, losses = Stepper(method, "translate"), []
    for _ in range(2):
        losses.append(float(stepper.step(draw)["generators/semantic"]))
    assert losses[0] == 0
    assert losses[1] > 0
    other = new_seuda(semantic={"ramp": 2})
    other.load_state_dict(method.state_dict())
    assert int(other.steps_done) == 2


def test_predicted_maps_have_a_history_of_their_own():
    method = new_seuda(cycle={"pool_size": 3})
    Stepper(method, "translate").step(draw)
    assert int(method.semantic.pool.stored) == 2
    assert method.semantic.pool.images.shape == (3, 3, 32, 32)


def test_all_discriminators_are_one_player_and_built_alike():
    method = new_seuda()
    assert [u.player for u in method.updates(draw)] == ["generators", "discriminators"]
    judges = [*method.cycle.discriminators.values(), method.semantic.discriminator]
    own = {id(p) for judge in judges for p in judge.parameters()}
    player = method.players()["discriminators"]
    assert {id(p) for p in _parameters(player.optimiser)} == own
    assert len({len(judge.layers) for judge in judges}) == 1


def test_what_it_offers_beyond_segmenting():
    for protocol in (Translates, Restores, Criticises, AdaptsSegmenter):
        assert isinstance(new_seuda(), protocol)
