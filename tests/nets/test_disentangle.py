from __future__ import annotations

import pytest
import torch
from torch import nn

from uda_study.nets.disentangle import (
    AutoencoderDesign,
    DomainAutoencoder,
    StyleDecoder,
    adaptive_norm,
)

SMALL = AutoencoderDesign(width=2, blocks=1, style_size=3)
CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def convolutions(module: nn.Module) -> list[tuple[int, ...]]:
    """Return kernel, stride, channels before and after of each convolution, in order."""
    return [
        (m.kernel_size[0], m.stride[0], m.in_channels, m.out_channels)
        for m in module.modules()
        if isinstance(m, CONVOLUTIONS)
    ]


@pytest.mark.parametrize("dims", [2, 3])
def test_the_published_layers(dims):
    with torch.device("meta"):
        network = DomainAutoencoder(dims, 1, AutoencoderDesign())
    residual = [(3, 1, 256, 256)] * 8
    down = [(7, 1, 1, 64), (4, 2, 64, 128), (4, 2, 128, 256)]
    assert convolutions(network.content) == [*down, *residual]
    assert convolutions(network.style) == [*down, (4, 2, 256, 256), (4, 2, 256, 256)]
    up = [(5, 1, 256, 128), (5, 1, 128, 64), (7, 1, 64, 1)]
    assert convolutions(network.decoder) == [*residual, *up]
    mlp = [m for m in network.decoder.mlp if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in mlp] == [
        (8, 256), (256, 256), (256, 8 * 2 * 256),
    ]  # fmt: skip
    assert network.style.linear.out_features == 8
    assert isinstance(network.decoder.enlarge[-1], nn.Tanh)


def test_the_published_sizes():
    sizes = {}
    with torch.device("meta"):
        for dims in (2, 3):
            network = DomainAutoencoder(dims, 1, AutoencoderDesign())
            sizes[dims] = [count(m) for m in (network.content, network.style, network.decoder)]
    assert sizes == {
        2: [5_377_088, 2_758_664, 6_866_881],
        3: [16_799_168, 11_035_016, 20_418_881],
    }


@pytest.mark.parametrize("dims", [2, 3])
def test_every_border_is_mirrored(dims):
    network = DomainAutoencoder(dims, 1, SMALL)
    modes = {m.padding_mode for m in network.modules() if isinstance(m, CONVOLUTIONS)}
    assert modes == {"reflect"}


@pytest.mark.parametrize("size", [(16, 16), (20, 32), (16, 20, 24)])
@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_codes_and_images_have_the_declared_shapes(size, norm):
    design = AutoencoderDesign(width=2, blocks=1, style_size=3, norm=norm)
    network = DomainAutoencoder(len(size), 2, design)
    code = network.encode(torch.randn(2, 2, *size))
    assert code.content.shape == (2, design.content_channels, *(n // 4 for n in size))
    assert code.style.shape == (2, 3)
    assert network.decoder(*code).shape == (2, 2, *size)


def test_mean_and_spread_are_in_the_style_and_not_in_the_content():
    torch.manual_seed(1)
    network = DomainAutoencoder(2, 1, AutoencoderDesign(width=2, blocks=1)).double()
    image = torch.randn(1, 1, 16, 16, dtype=torch.float64)
    other = 3 * image + 1
    torch.testing.assert_close(network.content(image), network.content(other), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(network.style(image), network.style(other), rtol=0.1)
    normalising = (nn.GroupNorm, nn.BatchNorm2d)
    assert not any(isinstance(m, normalising) for m in network.style.modules())


def test_adaptive_norm_gives_each_map_its_scale_and_shift():
    features = 5 * torch.randn(2, 3, 8, 8) + 2
    affine = torch.randn(2, 2, 3)
    changed = adaptive_norm(features, affine)
    torch.testing.assert_close(changed.mean((2, 3)), affine[:, 1], rtol=0, atol=1e-4)
    spread = changed.std((2, 3), correction=0)
    torch.testing.assert_close(spread, affine[:, 0].abs(), rtol=1e-3, atol=1e-3)


def test_a_decoder_remembers_no_style():
    decoder = StyleDecoder(2, 1, SMALL)
    content = torch.randn(1, 8, 4, 4)
    first, second = torch.randn(2, 1, 3)
    before = decoder(content, first)
    assert not torch.allclose(decoder(content, second), before)
    decoder.content_only(content)
    assert torch.equal(decoder(content, first), before)
    assert not list(decoder.buffers())


def test_styles_in_one_batch_keep_to_their_own_sample():
    decoder = StyleDecoder(2, 1, SMALL).double()
    contents = torch.randn(3, 8, 4, 4, dtype=torch.float64)
    styles = torch.randn(3, 3, dtype=torch.float64)
    alone = [decoder(contents[n : n + 1], styles[n : n + 1]) for n in range(3)]
    torch.testing.assert_close(decoder(contents, styles), torch.cat(alone))


def test_content_only_images_have_scale_one_and_shift_zero():
    decoder = StyleDecoder(2, 1, SMALL)
    content = torch.randn(2, 8, 4, 4)
    ones = torch.stack([torch.ones(2, 8), torch.zeros(2, 8)], 1)
    affine = torch.stack([ones] * 2, 1)
    assert torch.equal(decoder.content_only(content), decoder.paint(content, affine))


def test_the_enlargements_keep_the_relation_of_their_maps():
    # Normalisation per map would take out again what the style has put in.
    norms = [m for m in StyleDecoder(2, 1, SMALL).modules() if isinstance(m, nn.GroupNorm)]
    assert [m.num_groups for m in norms] == [1, 1]


def test_a_linear_output_leaves_the_range_of_tanh():
    linear = AutoencoderDesign(width=2, blocks=1, output="linear")
    decoder = StyleDecoder(2, 1, linear)
    with torch.no_grad():
        decoder.enlarge[-1].bias.fill_(5.0)
    assert float(decoder(torch.randn(1, 8, 4, 4), torch.randn(1, 8)).detach().max()) > 1
