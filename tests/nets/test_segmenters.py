from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from uda_study.errors import InputError
from uda_study.nets.dilated_fcn import DilatedFCN
from uda_study.nets.dilated_resnet import DilatedResNet
from uda_study.nets.layers import NormName, ResidualBlock, pixel_shuffle
from uda_study.nets.segmenter import Segmenter, SegmenterDesign, run_groups
from uda_study.nets.segmenters import SEGMENTERS, SegmenterName
from uda_study.nets.unet import UNet

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
SIZES = {2: (37, 50), 3: (17, 18, 20)}


def published(
    network: type[Segmenter], dims: int, channels: int, classes: int, norm: NormName = "instance"
) -> Segmenter:
    design = SegmenterDesign(
        dims, channels, classes, network.default_width, norm, network.default_dropout
    )
    with torch.device("meta"):
        return network(design)


def tiny(
    name: SegmenterName, dims: int = 2, channels: int = 1, norm: NormName = "instance"
) -> Segmenter:
    return SEGMENTERS[name](SegmenterDesign(dims, channels, 3, width=2, norm=norm))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_published_unet_has_12_6_million_parameters():
    assert count(published(UNet, 3, 2, 2, "none")) == 12_623_458


def test_the_published_dilated_resnet_has_39_3_million_parameters():
    assert round(count(published(DilatedResNet, 2, 3, 5)) / 1e6, 1) == 39.3


def test_the_residual_unet_is_counted_layer_by_layer():
    widths = [3, 64, 128, 256, 512, 512, 512, 512]
    total = sum(2 * (9 * n * n + 2 * n) for n in widths[:-1])
    down = [16 * before * after for before, after in pairwise(widths)]
    total += sum(down) + 2 * sum(widths[2:-1]) + widths[1] + widths[-1]
    up = [(512, 512), (1024, 512), (1024, 512), (1024, 256), (512, 128), (256, 64)]
    total += sum(16 * before * after + 2 * after for before, after in up)
    total += 16 * 128 * 5 + 5
    network = published(SEGMENTERS["res_unet"], 2, 3, 5)
    assert count(network) == total == 57_545_843
    assert network.level_channels == (*widths[1:], 512, 512, 512, 256, 128, 64, 5)


@pytest.mark.parametrize(
    ("name", "channels", "parameters"),
    [
        ("aspp_resnet18", (32, 32, 64, 128, 256), 2_844_980),
        ("aspp_resnet50", (32, 128, 256, 512, 1024), 6_076_980),
        ("aspp_resnet101", (32, 128, 256, 512, 1024), 10_838_068),
    ],
)
def test_the_dilated_resnets_start_with_32_channels(name, channels, parameters):
    network = published(SEGMENTERS[name], 2, 3, 5)
    assert network.level_channels == (*channels, 5)
    assert count(network) == parameters


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("aspp_resnet18", 11_176_512), ("aspp_resnet50", 23_508_032), ("aspp_resnet101", 42_500_160)],
)
def test_backbones_have_he_et_als_parameters_at_their_width(name, parameters):
    with torch.device("meta"):
        network = SEGMENTERS[name](SegmenterDesign(2, 3, 5, width=64))
    assert count(network) - count(network.groups[-1]) == parameters


def test_the_last_stages_are_dilated_and_the_head_has_four_rates():
    network = tiny("aspp_resnet50")
    dilations = [
        {
            m.dilation[0]
            for m in group.modules()
            if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)
        }
        for group in network.groups
    ]
    assert dilations == [set(), {1}, {1}, {2}, {4}, {6, 12, 18, 24}]


def test_the_four_branches_are_summed_and_enlarged_eightfold():
    network = tiny("aspp_resnet18").eval()
    image = torch.randn(1, 1, 30, 40)
    *_, (_, features), (_, logits) = network.run((image,), 0, network.num_groups)
    coarse = sum(branch(features) for branch in network.groups[-1].branches)
    fine = F.interpolate(coarse, (32, 40), mode="bilinear")
    torch.testing.assert_close(logits, fine[:, :, :30])


@pytest.mark.parametrize("name", ["res_unet", "aspp_resnet18", "aspp_resnet50"])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("dims", "size"), [(2, (32, 32)), (3, (24, 16, 16))])
def test_a_single_small_image_can_be_trained_on(name, dims, size, precision):
    network = tiny(name, dims)
    image = torch.randn(1, 1, *size)
    with torch.autocast("cpu", precision, enabled=precision is torch.bfloat16):
        logits = network(image)
    logits.float().square().mean().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert bool(torch.isfinite(parameter.grad).all())


def test_features_of_a_single_voxel_are_not_erased():
    network = tiny("res_unet").eval()
    images = torch.randn(2, 1, 32, 32)
    for features in (states[-1] for states in network.run((images,), 0, 7)):
        assert not torch.equal(features[0], features[1])


def test_the_residual_unet_sees_its_skips():
    network = tiny("res_unet").eval()
    states = network.run((torch.randn(1, 1, 64, 64),), 0, network.num_groups - 1)
    image, skip, features = states[-1]
    head = network.groups[-1]
    logits = head((image, skip, features))[-1]
    assert not torch.equal(head((image, skip + 1, features))[-1], logits)
    assert not torch.equal(head((image, skip, features + 1))[-1], logits)
    assert logits.min() < 0 < logits.max()


def silence(residue: nn.Module) -> None:
    for parameter in residue.parameters():
        nn.init.zeros_(parameter)


def test_residual_blocks_add_to_what_they_get():
    image = torch.rand(1, 1, 32, 32)
    down = tiny("res_unet").groups[0]
    silence(down.residue)
    torch.testing.assert_close(down((image,))[-1], down.halve(image))
    features = torch.rand(1, 8, 4, 4)
    block = tiny("aspp_resnet50").groups[1][1]
    silence(block.residue)
    torch.testing.assert_close(block(features), features)


def test_every_name_has_a_network():
    assert set(SEGMENTERS) == set(get_args(SegmenterName))


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", SEGMENTERS)
def test_features_have_the_declared_channels_and_strides_at_any_size(name, dims, norm):
    network = tiny(name, dims, 2, norm)
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
    network = tiny(name)
    total, ends = 0, []
    for group in network.groups:
        total += sum(isinstance(module, CONVOLUTIONS) for module in group.modules())
        ends.append(total)
    assert tuple(ends) == network.group_ends


@pytest.mark.parametrize("name", SEGMENTERS)
def test_groups_can_be_run_in_two_parts(name):
    network = tiny(name).eval()
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
    first = tiny("dilated_resnet").groups[0]
    assert isinstance(first[0], nn.Conv2d)
    assert isinstance(first[1], ResidualBlock)
    assert first[0].bias is None
