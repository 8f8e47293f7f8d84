from __future__ import annotations

import pytest
import torch
from torch import nn

from uda_study.nets.critic import (
    CriticDesign,
    DomainCritic,
    FeatureLevels,
    PoolInput,
    ShuffleInput,
    clip_weights_,
)

PAPER_LEVELS = FeatureLevels((256, 256), (128, 256, 512, 512), (8, 8, 8, 8), 5)
PAPER_DESIGN = CriticDesign("shuffle", 64, 4, "batch", 0.25)


def test_the_published_critic_sees_32_channels_and_has_21_7_million_parameters():
    with torch.device("meta"):
        critic = DomainCritic(PAPER_DESIGN, PAPER_LEVELS)
    assert critic.assemble.out_channels == 32
    assert round(sum(p.numel() for p in critic.parameters()) / 1e6, 1) == 21.7
    assert critic.body.score.linear.in_features == 2048


def test_shuffle_lays_levels_logits_and_the_predicted_class_side_by_side():
    levels = FeatureLevels((4, 4), (4, 6), (2, 2), 3)
    features = [torch.randn(1, 4, 2, 2), torch.randn(1, 6, 2, 2)]
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    assembled = ShuffleInput(levels)(features, logits)
    first = nn.functional.pixel_shuffle(features[0], 2)
    filled = torch.cat([features[1], torch.zeros(1, 2, 2, 2)], 1)
    second = nn.functional.pixel_shuffle(filled, 2)
    predicted = logits.argmax(1, keepdim=True).float()
    expected = torch.cat([first, first, first, second, logits, predicted], 1)
    assert torch.equal(assembled, expected)
    assert assembled.shape[1] == ShuffleInput(levels).out_channels
    (gradient,) = torch.autograd.grad(assembled[:, -1].sum() + assembled[:, -4:-1].sum(), logits)
    assert torch.equal(gradient, torch.ones_like(logits))


def test_pool_averages_every_level_to_one_grid():
    levels = FeatureLevels((32, 48), (2, 3), (1, 2), 2)
    features = [torch.randn(1, 2, 32, 48), torch.randn(1, 3, 16, 24)]
    logits = torch.randn(1, 2, 32, 48)
    assembled = PoolInput(levels)(features, logits)
    assert assembled.shape == (1, 7, 16, 16)
    pool = nn.functional.adaptive_avg_pool2d
    torch.testing.assert_close(assembled[:, :2], pool(features[0], 16))
    torch.testing.assert_close(assembled[:, 2:5], pool(features[1], 16))
    torch.testing.assert_close(assembled[:, 5:], pool(4 * logits.softmax(1), 16))


@pytest.mark.parametrize("size", [(16, 16), (40, 24), (16, 16, 16), (8, 20, 12)])
@pytest.mark.parametrize("name", ["shuffle", "pool"])
@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_critics_score_each_sample_in_2d_and_3d(size, name, norm):
    levels = FeatureLevels(size, (3, 5), (1, 4), 2)
    critic = DomainCritic(CriticDesign(name, 2, 4, norm, 0.0), levels)
    features = [torch.randn(2, 3, *size), torch.randn(2, 5, *(-(-n // 4) for n in size))]
    scores = critic(features, torch.randn(2, 2, *size))
    assert scores.shape == (2,)
    assert all(g is not None for g in torch.autograd.grad(scores.sum(), critic.parameters()))


def test_larger_images_than_the_patch_can_be_scored():
    levels = FeatureLevels((16, 16), (3,), (2,), 2)
    for name in ("shuffle", "pool"):
        critic = DomainCritic(CriticDesign(name, 2, 2, "instance", 0.0), levels)
        assert critic([torch.randn(1, 3, 50, 30)], torch.randn(1, 2, 100, 60)).shape == (1,)


def test_batch_normalisation_uses_the_batch_in_evaluation_too():
    levels = FeatureLevels((16, 16), (3,), (2,), 2)
    critic = DomainCritic(CriticDesign("pool", 2, 2, "batch", 0.0), levels)
    inputs = [torch.randn(4, 3, 8, 8)], torch.randn(4, 2, 16, 16)
    assert torch.equal(critic.train()(*inputs), critic.eval()(*inputs))


def test_the_last_layer_has_no_bias():
    levels = FeatureLevels((16, 16), (3,), (2,), 2)
    for name in ("shuffle", "pool"):
        assert (
            DomainCritic(CriticDesign(name, 2, 2, "none", 0.0), levels).body.score.linear.bias
            is None
        )


def test_clipping_touches_convolutions_and_linear_layers_only():
    module = nn.Sequential(
        nn.Conv2d(1, 1, 3), nn.BatchNorm2d(1), nn.GroupNorm(1, 1), nn.Linear(1, 1)
    )
    for parameter in module.parameters():
        nn.init.constant_(parameter, -2.0)
    clip_weights_(module, 0.5)
    assert [float(p.detach().flatten()[0]) for p in module.parameters()] == [
        -0.5, -0.5, -2.0, -2.0, -2.0, -2.0, -0.5, -0.5,
    ]  # fmt: skip
