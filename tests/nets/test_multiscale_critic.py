from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from uda_study.nets.multiscale_critic import MultiscaleCritic, receptive_field, smallest_side


@pytest.mark.parametrize("dims", [2, 3])
def test_the_published_layers(dims):
    with torch.device("meta"):
        critic = MultiscaleCritic(dims, 1)
    assert len(critic.scales) == 3
    for scale in critic.scales:
        layers = [m for m in scale.modules() if isinstance(m, nn.Conv2d | nn.Conv3d)]
        assert [(m.kernel_size[0], m.stride[0], m.out_channels) for m in layers] == [
            (4, 2, 64), (4, 2, 128), (4, 2, 256), (4, 2, 512), (1, 1, 1),
        ]  # fmt: skip
        assert {m.padding_mode for m in layers} == {"reflect"}
    others = {type(m) for m in critic.modules() if not list(m.children())}
    assert others == {nn.Conv2d if dims == 2 else nn.Conv3d, nn.LeakyReLU}
    parameters = sum(p.numel() for p in critic.parameters())
    assert parameters == {2: 8_265_027, 3: 33_046_851}[dims]


def test_each_scale_sees_the_image_half_as_large():
    critic = MultiscaleCritic(2, 1, width=2, stages=1)
    image = torch.randn(1, 1, 17, 20)
    half = F.avg_pool2d(image, 3, 2, 1, count_include_pad=False)
    quarter = F.avg_pool2d(half, 3, 2, 1, count_include_pad=False)
    for scale, seen, score in zip(
        critic.scales, (image, half, quarter), critic(image), strict=True
    ):
        assert torch.equal(scale(seen), score)


@pytest.mark.parametrize(("stages", "scales"), [(1, 1), (2, 3), (4, 1), (4, 3)])
def test_the_smallest_side_is_the_smallest(stages, scales):
    critic = MultiscaleCritic(2, 1, width=1, stages=stages, scales=scales)
    side = smallest_side(stages, scales)
    assert critic(torch.randn(1, 1, side, side))[-1].shape == (1, 1, 1, 1)
    with pytest.raises(RuntimeError):
        critic(torch.randn(1, 1, side - 1, side - 1))


def test_3d_scores_have_one_channel():
    scores = MultiscaleCritic(3, 2, width=2, stages=2, scales=2)(torch.randn(2, 2, 16, 16, 24))
    assert [tuple(score.shape) for score in scores] == [(2, 1, 4, 4, 6), (2, 1, 2, 2, 3)]


@pytest.mark.parametrize(("stages", "scales"), [(2, 1), (2, 2), (1, 3)])
def test_the_receptive_field_is_what_a_score_depends_on(stages, scales):
    critic = MultiscaleCritic(2, 1, width=1, stages=stages, scales=scales).double()
    for parameter in critic.parameters():
        nn.init.constant_(parameter, 0.5)
    image = torch.ones(1, 1, 128, 128, dtype=torch.float64, requires_grad=True)
    scores = critic(image)[-1]
    middle = scores.shape[-1] // 2
    (gradient,) = torch.autograd.grad(scores[0, 0, middle, middle], image)
    assert int((gradient[0, 0] != 0).any(0).sum()) == receptive_field(stages, scales)
