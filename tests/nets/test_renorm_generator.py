from __future__ import annotations

import pytest
import torch
from torch import nn

from uda_study.nets.renorm_generator import (
    ExtractorDesign,
    GeneratorDesign,
    PlainNorm,
    Renorm,
    RenormGenerator,
    SemanticExtractor,
)

PUBLISHED = GeneratorDesign(width=64, stages=4, order="norm_first", output="linear")
PUBLISHED_EXTRACTOR = ExtractorDesign(
    num_classes=4, width=64, features=512, pool=7, dropout=0.5, unit_scale=True
)
SMALL = ExtractorDesign(num_classes=3, width=2, features=5, pool=2, dropout=0.0, unit_scale=True)


def small(dims: int = 2, *, extractor: ExtractorDesign | None = SMALL, **changes) -> nn.Module:
    torch.manual_seed(0)
    design = {"width": 2, "stages": 2, "order": "norm_first", "output": "linear", **changes}
    return RenormGenerator(dims, 2, GeneratorDesign(**design), extractor).eval()


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def convolutions_of(generator: nn.Module, image: torch.Tensor, logits: torch.Tensor) -> list:
    """What every convolution outside the extractor does: channels, kernel, stride, side."""
    seen = []

    def note(layer: nn.Conv2d, _: object, result: torch.Tensor) -> None:
        seen.append(
            (
                layer.in_channels,
                layer.out_channels,
                layer.kernel_size[0],
                layer.stride[0],
                result.shape[-1],
            )
        )

    for name, module in generator.named_modules():
        if isinstance(module, nn.Conv2d) and "extractor" not in name:
            module.register_forward_hook(note)
    generator(image, logits)
    return seen


def changing(before: int, after: int, side: int) -> list[tuple[int, ...]]:
    inside = min(before, after)
    return [
        (before, after, 1, 1, side),
        (before, inside, 3, 1, side),
        (inside, after, 3, 1, side),
    ]


def test_the_published_generator_has_the_published_layers():
    with torch.device("meta"):
        generator = RenormGenerator(2, 1, PUBLISHED, PUBLISHED_EXTRACTOR)
        image, logits = torch.empty(1, 1, 128, 128), torch.empty(1, 4, 128, 128)
        layers = convolutions_of(generator, image, logits)
    assert layers == [
        (1, 64, 4, 2, 64), *changing(64, 128, 64),
        (128, 128, 4, 2, 32), *changing(128, 256, 32),
        (256, 256, 4, 2, 16), *changing(256, 512, 16),
        (512, 512, 4, 2, 8), *[(512, 512, 3, 1, 8)] * 2,
        *[(512, 512, 3, 1, 16)] * 4,
        *changing(1024, 256, 16), *changing(512, 128, 32), *changing(256, 64, 64),
        (64, 1, 3, 1, 128),
    ]  # fmt: skip


def test_the_published_generator_has_the_parameters_of_its_table():
    with torch.device("meta"):
        generator = RenormGenerator(2, 1, PUBLISHED, PUBLISHED_EXTRACTOR)
        layers = convolutions_of(generator, torch.empty(1, 1, 32, 32), torch.empty(1, 4, 32, 32))
    convolutions = sum(before * after * kernel**2 for before, after, kernel, *_ in layers) + 64 + 1
    changing_blocks = [(64, 128), (128, 256), (256, 512), (1024, 256), (512, 128), (256, 64)]
    normalised = 3 * 2 * 512 + sum(2 * a + min(a, b) for a, b in changing_blocks)
    assert convolutions == 26_371_713
    assert count(generator) == 14_659_776 + convolutions + 2 * (512 + 1) * normalised
    assert count(generator) == 49_699_137


def test_the_published_extractor_has_14_7_million_parameters():
    with torch.device("meta"):
        assert count(SemanticExtractor(2, PUBLISHED_EXTRACTOR)) == 14_659_776


def test_the_extractor_pools_before_it_rectifies_and_drops_half_of_the_hidden_layer():
    layers = list(SemanticExtractor(2, PUBLISHED_EXTRACTOR))
    stage = [nn.Conv2d, nn.MaxPool2d, nn.ReLU]
    end = [nn.AdaptiveAvgPool2d, nn.Flatten, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    assert [type(layer) for layer in layers] == 4 * stage + end
    widths = [layer.out_channels for layer in layers if isinstance(layer, nn.Conv2d)]
    assert widths == [64, 128, 256, 512]
    assert layers[-2].p == 0.5


@pytest.mark.parametrize("unit_scale", [True, False])
def test_renormalisation_is_equation_1(unit_scale):
    design = ExtractorDesign(3, 2, 5, 2, 0.0, unit_scale)
    renorm = Renorm(4, design).double()
    features = torch.randn(2, 4, 6, 5, dtype=torch.float64)
    embedding = torch.randn(2, 5, dtype=torch.float64)
    gamma, beta = renorm.scale(embedding), renorm.shift(embedding)
    for n in range(2):
        for c in range(4):
            h = features[n, c]
            standard = (h - h.mean()) / (h.var(correction=0) + 1e-5).sqrt()
            scale = gamma[n, c] + (1 if unit_scale else 0)
            torch.testing.assert_close(
                renorm(features, embedding)[n, c], scale * standard + beta[n, c]
            )


@pytest.mark.parametrize("order", ["norm_first", "conv_first"])
@pytest.mark.parametrize(("dims", "size"), [(2, (37, 50)), (3, (17, 12, 20))])
def test_any_size_is_kept(dims, size, order):
    image, logits = torch.randn(2, 2, *size), torch.randn(2, 3, *size)
    for extractor in (SMALL, None):
        assert small(dims, extractor=extractor, order=order)(image, logits).shape == image.shape


def test_every_normalisation_takes_its_scale_from_the_one_embedding():
    generator = small(stages=3)
    extractors = [m for m in generator.modules() if isinstance(m, SemanticExtractor)]
    assert len(extractors) == 1
    norms = [m for m in generator.modules() if isinstance(m, Renorm)]
    assert len(norms) == 2 * (3 + 2 + 2) + 5  # two per block, one per shortcut that changes width
    assert not [m for m in generator.modules() if isinstance(m, nn.GroupNorm)]
    seen = []
    for module in norms:
        module.register_forward_hook(lambda _, given, __: seen.append(given[1]))
    generator(torch.randn(1, 2, 32, 32), torch.randn(1, 3, 32, 32))
    assert len(seen) == len(norms)
    assert all(embedding is seen[0] for embedding in seen)


def test_the_segmentation_steers_the_translation_by_its_raw_logits():
    generator, image = small(), torch.randn(1, 2, 16, 16)
    logits = torch.randn(1, 3, 16, 16)
    # A softmax of the logits would be the same in both cases.
    assert not torch.allclose(generator(image, logits), generator(image, logits + 5))


def test_without_an_extractor_the_segmentation_does_not_matter():
    generator, image = small(extractor=None), torch.randn(1, 2, 16, 16)
    first, second = (generator(image, torch.randn(1, 3, 16, 16)) for _ in range(2))
    assert torch.equal(first, second)
    assert not [m for m in generator.modules() if isinstance(m, Renorm)]
    assert [m for m in generator.modules() if isinstance(m, PlainNorm)]


def test_the_block_follows_the_named_order():
    features = torch.randn(1, 2, 8, 8)
    embedding = torch.randn(1, 5)
    for order, negative_slope in (("norm_first", 0.2), ("conv_first", 0.0)):
        block = small(order=order).down[0]
        rectify = nn.LeakyReLU(negative_slope)
        if order == "norm_first":
            inside = block.first(rectify(block.first_norm(features, embedding)))
            residue = block.second(rectify(block.second_norm(inside, embedding)))
            skip = block.shortcut(block.shortcut_norm(features, embedding))
        else:
            inside = rectify(block.first_norm(block.first(features), embedding))
            residue = rectify(block.second_norm(block.second(inside), embedding))
            skip = block.shortcut(features)
        torch.testing.assert_close(block(features, embedding), skip + residue)


def test_tanh_bounds_the_output():
    image, logits = 100 * torch.randn(1, 2, 16, 16), torch.randn(1, 3, 16, 16)
    bounded, linear = small(output="tanh"), small(output="linear")
    torch.testing.assert_close(bounded(image, logits), linear(image, logits).tanh())
