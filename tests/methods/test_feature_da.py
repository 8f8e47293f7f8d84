"""Details of feature_da that are easily lost."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from uda_study.method import AdaptsSegmenter, Batch, Criticises
from uda_study.methods.feature_da import FeatureDa, FeatureDaHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

SIZE = 20
TASK = Task(2, 1, ("background", "organ"), (SIZE, SIZE), (1.0, 1.0))


def new_feature_da(**changes) -> FeatureDa:
    values = {
        "segmenter": {"name": "dilated_fcn", "width": 2, **changes.pop("segmenter", {})},
        "critic": {
            "input": "pool", "width": 2, "steps": 1, "growth": 0, "warm_up": 0,
            **changes.pop("critic", {}),
        },
        "align": {"start": 0, "ramp": 0, **changes.pop("align", {})},
        **changes,
    }  # fmt: skip
    torch.manual_seed(0)
    return FeatureDa(FeatureDaHyper.model_validate(values), TASK)


def draw() -> Batch:
    generator = torch.Generator().manual_seed(1)
    source, target = torch.randn(2, 2, 1, SIZE, SIZE, generator=generator)
    label = torch.randint(0, 2, (2, SIZE, SIZE), generator=generator)
    return Batch(source, label, target + 1)


def last_losses(method: FeatureDa) -> dict[str, float]:
    return {n: float(v.detach()) for n, v in list(method.updates(draw))[-1].losses.items()}


def test_the_adversarial_weight_waits_and_then_rises_linearly():
    method = new_feature_da(align={"start": 2, "ramp": 4}, adversarial_weight=0.5)
    weights = []
    for _ in range(8):
        weights.append(method._weight(len(weights)))
    assert weights == pytest.approx([0, 0, 0, 0.125, 0.25, 0.375, 0.5, 0.5])


def test_the_ramp_counts_joint_updates_and_not_the_warm_up():
    method = new_feature_da(align={"start": 1, "ramp": 1}, critic={"warm_up": 2})
    seen = []
    for _ in range(5):
        updates = list(method.updates(draw))
        seen.append([update.player for update in updates])
        if len(updates) == 2:
            seen[-1].append(float(updates[-1].losses["log"].detach()) != 0)
    assert seen == [["critic"]] * 2 + [["critic", "segmenter", False]] * 2 + [
        ["critic", "segmenter", True]
    ]
    assert method.stages()[1].steps == 2 + method.hyper.steps


def test_the_published_opponent_maximises_the_critics_loss():
    method = new_feature_da(adversarial_weight=0.25)
    critic, segmenter = method.updates(draw)
    told = float(critic.losses["log"].detach())
    assert float(segmenter.losses["log"].detach()) == pytest.approx(-0.25 * told)


def test_the_segmentation_loss_is_the_source_segmenters():
    losses = last_losses(new_feature_da(segmenter={"dice_weight": 1.0}))
    assert set(losses) == {"cross_entropy", "dice", "log"}
    assert set(last_losses(new_feature_da(segmenter={"dice_weight": 0.0}))) == {
        "cross_entropy",
        "log",
    }


def test_one_network_sees_both_domains_and_the_source_segmenter_stays():
    method = new_feature_da()
    method.stages()[1].begin()
    before = {name: value.clone() for name, value in method.segmenter.state_dict().items()}
    image = draw().target_image
    assert torch.equal(method.segment(image), method.segment_source(image))
    Stepper(method, "adapt").step(draw)
    assert not torch.equal(method.segment(image), method.segment_source(image))
    assert all(torch.equal(before[n], v) for n, v in method.segmenter.state_dict().items())


def test_a_new_start_draws_weights_of_its_own():
    method = new_feature_da(start="new")
    method.stages()[1].begin()
    image = draw().target_image
    assert not torch.equal(method.segment(image), method.segment_source(image))


def test_the_critics_steps_grow_with_the_joint_updates():
    method, counts = new_feature_da(critic={"steps": 2, "growth": 2}), []
    for _ in range(5):
        counts.append(sum(update.player == "critic" for update in method.updates(draw)))
    assert counts == [2, 2, 3, 3, 4]


def test_both_players_have_a_rate_of_their_own_and_one_schedule():
    method = new_feature_da(optim={"lr": 1e-3, "critic_lr": 2e-3, "schedule": "cosine"}, steps=4)
    stepper = Stepper(method, "adapt")
    for _ in range(2):
        stepper.step(draw)
    rates = {n: p.optimiser.param_groups[0]["lr"] for n, p in stepper.players.items()}
    assert rates == pytest.approx({"segmenter": 0.5e-3, "critic": 1e-3})


def test_the_critic_sees_early_middle_and_late_features():
    assert new_feature_da().levels == (3, 6, 9)
    assert FeatureDaHyper().segmenter.name == "aspp_resnet101"


def test_unknown_critic_levels_are_refused():
    with pytest.raises(ValidationError, match=r"must be one of 1 \(g1\)"):
        new_feature_da(critic={"levels": ["g17"]})


def test_the_distance_does_not_depend_on_the_critics_scale():
    method, batch = new_feature_da().eval(), draw()
    distance = float(method.critic_distance(batch).detach())
    with torch.no_grad():
        method.critic.body.score.linear.weight *= 7
    assert float(method.critic_distance(batch).detach()) == pytest.approx(distance, rel=1e-4)


def test_what_it_offers_beyond_segmenting():
    assert isinstance(new_feature_da(), AdaptsSegmenter)
    assert isinstance(new_feature_da(), Criticises)
