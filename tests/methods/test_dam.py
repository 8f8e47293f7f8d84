"""Details of dam that are easily lost."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from uda_study.method import Batch
from uda_study.methods.dam import Dam, DamHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

SIZE = 20
TASK = Task(2, 1, ("background", "organ"), (SIZE, SIZE), (1.0, 1.0))


def new_dam(**changes) -> Dam:
    values = {
        "segmenter": {"name": "dilated_fcn", "width": 2, **changes.pop("segmenter", {})},
        "critic": {
            "input": "pool", "width": 2, "steps": 2, "warm_up": 0, **changes.pop("critic", {}),
        },
        "depth": 3,
        **changes,
    }  # fmt: skip
    torch.manual_seed(0)
    dam = Dam(DamHyper.model_validate(values), TASK)
    dam.stages()[1].begin()
    return dam


class Draws:
    def __init__(self) -> None:
        self.given: list[Batch] = []

    def __call__(self) -> Batch:
        generator = torch.Generator().manual_seed(len(self.given))
        source, target = torch.randn(2, 2, 1, SIZE, SIZE, generator=generator)
        self.given.append(Batch(source, torch.empty(0), target + 1))
        return self.given[-1]


def players_per_step(dam: Dam, steps: int) -> list[str]:
    stepper, draw, sequences = Stepper(dam, "adapt"), Draws(), []
    original = dam.updates
    for _ in range(steps):
        order: list[str] = []

        def updates(draw, order=order):
            for update in original(draw):
                order.append(update.player[0])
                yield update

        dam.updates = updates
        stepper.step(draw)
        sequences.append("".join(order))
    return sequences


def test_the_critic_warms_up_alone_then_grows_with_the_joint_updates():
    dam = new_dam(critic={"warm_up": 2, "steps": 2, "growth": 2})
    assert players_per_step(dam, 7) == ["c", "c", "cca", "cca", "ccca", "ccca", "cccca"]


def test_no_growth_keeps_the_number_of_critic_steps():
    assert players_per_step(new_dam(critic={"growth": 0}), 3) == ["cca"] * 3


def test_warm_up_steps_count_as_steps_of_the_stage_but_do_not_lower_the_learning_rate():
    dam = new_dam(critic={"warm_up": 3}, steps=5, optim={"decay": 0.5, "decay_every": 2})
    assert dam.stages()[1].steps == 8
    stepper, rates = Stepper(dam, "adapt"), []
    for _ in range(8):
        rates.append(stepper.players["adapter"].optimiser.param_groups[0]["lr"])
        stepper.step(Draws())
    assert rates == pytest.approx([3e-4] * 5 + [1.5e-4] * 2 + [0.75e-4])


def test_every_update_of_a_joint_step_draws_a_batch_of_its_own():
    draw = Draws()
    Stepper(new_dam(critic={"steps": 4}), "adapt").step(draw)
    assert len(draw.given) == 5


def test_rmsprop_has_the_published_constants():
    for player in new_dam().players().values():
        group = player.optimiser.param_groups[0]
        assert (group["lr"], group["alpha"], group["eps"]) == (3e-4, 0.9, 1e-10)
        assert group["momentum"] == 0


def test_l2_follows_the_loss_weight_and_spares_normalisation():
    players = new_dam().players()
    for name, expected in (("critic", 1e-4 * 0.002 / 2), ("adapter", 1e-4 * 0.002)):
        for group in players[name].optimiser.param_groups:
            is_weight = all(p.dim() > 1 for p in group["params"])
            assert group["weight_decay"] == pytest.approx(expected if is_weight else 0.0)


def largest(module: nn.Module, kind: type) -> float:
    layers = [m for m in module.modules() if isinstance(m, kind)]
    return max(float(p.detach().abs().max()) for m in layers for p in m.parameters())


def test_clipping_bounds_convolutions_and_leaves_normalisation_alone():
    dam = new_dam(critic={"norm": "instance"}, align={"clip": 0.01})
    Stepper(dam, "adapt").step(Draws())
    assert largest(dam.critic, nn.Conv2d) <= 0.01
    assert largest(dam.critic, nn.Linear) <= 0.01
    assert largest(dam.critic, nn.GroupNorm) > 0.9


def test_least_squares_does_not_clip():
    dam = new_dam(align={"type": "least_squares", "clip": 0.01})
    Stepper(dam, "adapt").step(Draws())
    assert largest(dam.critic, nn.Conv2d) > 0.01


@pytest.mark.parametrize(
    ("segmenter", "depth", "groups"),
    [("dilated_fcn", 3, 3), ("dilated_fcn", "g7", 7), ("unet", 4, 2), ("unet", 16, 7)],
)
def test_depth_limits_which_groups_adapt(segmenter, depth, groups):
    dam = new_dam(segmenter={"name": segmenter}, depth=depth)
    assert len(dam.adapter) == groups
    before = {name: value.clone() for name, value in dam.segmenter.state_dict().items()}
    image = torch.randn(1, 1, SIZE, SIZE)
    dam.eval()
    assert torch.equal(dam.segment(image), dam.segment_source(image))
    Stepper(dam, "adapt").step(Draws())
    dam.eval()
    assert not torch.equal(dam.segment(image), dam.segment_source(image))
    assert all(torch.equal(before[name], dam.segmenter.state_dict()[name]) for name in before)


def test_the_adapter_starts_from_the_trained_source_segmenter():
    dam = new_dam()
    with torch.no_grad():
        for parameter in dam.segmenter.parameters():
            parameter.add_(0.1)
    dam.stages()[1].begin()
    for copied, source in zip(dam.adapter, dam.segmenter.groups, strict=False):
        for name, value in copied.state_dict().items():
            assert torch.equal(value, source.state_dict()[name])
            assert value.data_ptr() != source.state_dict()[name].data_ptr()


def test_batch_statistics_move_only_in_the_adapters_own_step():
    dam = new_dam(segmenter={"norm": "batch"}, critic={"norm": "batch"})
    before = {name: value.clone() for name, value in dam.state_dict().items()}
    updates = dam.updates(Draws())

    def moved() -> set[str]:
        state = dam.state_dict()
        return {n.split(".")[0] for n in before if "running" in n and not state[n].equal(before[n])}

    assert next(updates).player == "critic"
    assert next(updates).player == "critic"
    assert moved() == set()
    assert next(updates).player == "adapter"
    assert moved() == {"adapter"}


def test_dropout_is_active_in_frozen_layers_during_training_and_off_in_segment():
    dam = new_dam(segmenter={"dropout": 0.5})
    batch = Draws()()
    first, second = (next(dam.updates(lambda: batch)).losses["wasserstein"] for _ in range(2))
    assert not torch.equal(first, second)
    dam.eval()
    assert torch.equal(dam.segment(batch.target_image), dam.segment(batch.target_image))


def test_critic_distance_is_the_critics_objective_whatever_its_scale():
    dam = new_dam()
    batch = Draws()()
    loss = next(dam.updates(lambda: batch)).losses["wasserstein"]
    distance = float(dam.critic_distance(batch).detach())
    assert distance * float(-loss.detach()) > 0
    with torch.no_grad():
        dam.critic.body.score.linear.weight *= 7
    larger = next(dam.updates(lambda: batch)).losses["wasserstein"]
    assert float(larger.detach()) == pytest.approx(7 * float(loss.detach()), rel=1e-4)
    assert float(dam.critic_distance(batch).detach()) == pytest.approx(distance, rel=1e-4)


def test_a_depth_inside_a_group_is_refused_with_the_legal_ones():
    with pytest.raises(ValidationError) as caught:
        DamHyper(depth=9, segmenter={"name": "unet"})
    (error,) = caught.value.errors()
    assert error["loc"] == ("depth",)
    assert "must be one of 2 (g1), 4 (g2), 6 (g3)" in error["msg"]
    assert error["msg"].endswith("or a group's name, got 9")


def test_the_default_depth_is_checked_against_the_named_segmenter():
    with pytest.raises(ValidationError, match="got 21"):
        DamHyper(segmenter={"name": "dilated_fcn"})


def test_the_papers_depths_are_legal():
    for depth, groups in ((13, "g4"), (21, "g6"), (31, "g9")):
        network = DamHyper(depth=depth).segmenter.network
        assert network.resolve_depth(depth) == network.resolve_depth(groups)


def test_unknown_critic_levels_are_refused():
    with pytest.raises(ValidationError, match="must be one of 3 \\(g1\\)"):
        DamHyper(critic={"levels": [4]})
