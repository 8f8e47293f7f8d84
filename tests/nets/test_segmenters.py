from __future__ import annotations

from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from uda_study.errors import InputError
from uda_study.nets.dilated_fcn import DilatedFCN
from uda_study.nets.dilated_resnet import DilatedResNet
from uda_study.nets.layers import ResidualBlock, pixel_shuffle
from uda_study.nets.segmenter import run_groups
from uda_study.nets.segmenters import SEGMENTERS, SegmenterName
from uda_study.nets.unet import UNet

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
SIZES = {2: (37, 50), 3: (17, 18, 20)}


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_published_unet_has_12_6_million_parameters():
    with torch.device("meta"):
        assert count(UNet(3, 2, 2)) == 12_623_458


def test_the_published_dilated_resnet_has_39_3_million_parameters():
    with torch.device("meta"):
        parameters = count(DilatedResNet(2, 3, 5))
    assert round(parameters / 1e6, 1) == 39.3


def test_every_name_has_a_network():
    assert set(SEGMENTERS) == set(get_args(SegmenterName))


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", SEGMENTERS)
def test_features_have_the_declared_channels_and_strides_at_any_size(name, dims, norm):
    network = SEGMENTERS[name](dims, 2, 3, width=2, norm=norm)
    size = SIZES[dims]
    image = torch.randn(2, 2, *size)
    states = network.run((image,), 0, network.num_groups)
    for state, channels, stride in zip(
        states, network.level_channels, network.level_strides, strict=True
    ):
        assert state[-1].shape == (2, channels, *(-(-length // stride) for length in size))
    assert states[-1][-1].shape == (2, 3, *size)


@pytest.mark.parametrize("name", SEGMENTERS)
def test_group_ends_count_the_convolutions(name):
    network = SEGMENTERS[name](2, 1, 3, width=2)
    total, ends = 0, []
    for group in network.groups:
        total += sum(isinstance(module, CONVOLUTIONS) for module in group.modules())
        ends.append(total)
    assert tuple(ends) == network.group_ends


@pytest.mark.parametrize("name", SEGMENTERS)
def test_groups_can_be_run_in_two_parts(name):
    network = SEGMENTERS[name](2, 1, 3, width=2).eval()
    image = torch.randn(1, 1, 32, 32)
    for cut in range(1, network.num_groups):
        lower = run_groups(network.groups[:cut], (image,))
        upper = network.run(lower[-1], cut, network.num_groups)
        assert torch.equal(upper[-1][-1], network(image))


def test_depth_is_given_in_convolutions_or_groups():
    assert [DilatedResNet.resolve_depth(d) for d in (13, 21, 31)] == [4, 6, 9]
    assert DilatedResNet.resolve_depth("g6") == 6
    assert [DilatedFCN.resolve_depth(d) for d in range(1, 10)] == list(range(1, 10))


@pytest.mark.parametrize("depth", [10, 0, 33, "g10", "21", "six"])
def test_an_illegal_depth_lists_the_legal_ones(depth):
    with pytest.raises(InputError) as caught:
        DilatedResNet.resolve_depth(depth, "dam.depth")
    assert str(caught.value) == (
        "dam.depth: must be one of 3 (g1), 5 (g2), 9 (g3), 13 (g4), 17 (g5), 21 (g6), "
        f"25 (g7), 29 (g8), 31 (g9), got {depth}"
    )


def test_critic_levels_are_the_published_ones_or_follow_the_depth():
    ends = DilatedResNet.group_ends
    assert [ends[g - 1] for g in DilatedResNet.critic_levels(4)] == [13, 21, 25, 31]
    assert DilatedFCN.critic_levels(4) == (4, 6, 9)
    assert DilatedFCN.critic_levels(9) == (9,)
    assert UNet.critic_levels(7) == (7, 8, 9)


def test_pixel_shuffle_is_pytorchs_in_2d_and_its_like_in_3d():
    image = torch.randn(2, 12, 3, 5)
    assert torch.equal(pixel_shuffle(image, 2), F.pixel_shuffle(image, 2))
    volume = torch.arange(16.0).reshape(1, 8, 2, 1, 1)
    shuffled = pixel_shuffle(volume, 2)
    assert shuffled.shape == (1, 1, 4, 2, 2)
    # Channel 4 i + 2 j + k goes to offset (i, j, k) of every block.
    assert torch.equal(shuffled[0, 0, :2], volume[0, :, 0].reshape(2, 2, 2))
    assert torch.equal(shuffled[0, 0, 2:], volume[0, :, 1].reshape(2, 2, 2))


def test_growth_pads_the_identity_with_zeros_on_both_sides():
    block = ResidualBlock(2, (2, 6), "none", 0.0)
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    image = torch.rand(1, 2, 4, 4)
    grown = block(image)
    assert torch.equal(grown[:, 2:4], image)
    assert not grown[:, :2].any()
    assert not grown[:, 4:].any()


def test_the_first_convolution_of_the_dilated_resnet_stands_bare():
    first = DilatedResNet(2, 1, 2, width=2, dropout=0.0).groups[0]
    assert isinstance(first[0], nn.Conv2d)
    assert isinstance(first[1], ResidualBlock)
    assert first[0].bias is None
