import pytest
import torch
from torch import nn

from uda_study.nets.generator import ResnetGenerator
from uda_study.nets.patch_discriminator import PatchDiscriminator, receptive_field, score_size


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_published_sizes():
    # Palladino et al. (2020), tables 1 and 2: 3D, T1 and FLAIR.
    generator = ResnetGenerator(3, 2)
    assert parameters(generator) == 8_559_490
    assert round(parameters(generator) / 1e6, 2) == 8.56
    discriminator = PatchDiscriminator(3, 2, design="wmh")
    assert round(parameters(discriminator) / 1e6, 2) == 4.69


def test_the_generators_layers():
    convolutions = [m for m in ResnetGenerator(3, 2).modules() if isinstance(m, nn.Conv3d)]
    shapes = [(m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0]) for m in convolutions]
    assert shapes == [
        (2, 32, 7, 1), (32, 64, 3, 2), (64, 128, 3, 2), *[(128, 128, 3, 1)] * 18,
        (128, 64, 3, 1), (64, 32, 3, 1), (32, 2, 7, 1),
    ]  # fmt: skip
    assert {m.padding_mode for m in convolutions} == {"reflect"}


def test_the_wmh_discriminators_layers():
    layers = list(PatchDiscriminator(3, 2, design="wmh").layers)
    convolutions = [m for m in layers if isinstance(m, nn.Conv3d)]
    shapes = [(m.out_channels, m.kernel_size[0], m.stride[0]) for m in convolutions]
    assert shapes == [(64, 4, 2), (128, 3, 2), (256, 3, 2), (512, 3, 1), (1, 4, 1)]
    assert [type(m).__name__ for m in layers[1:3]] == ["LeakyReLU", "Conv3d"]
    assert isinstance(layers[-2], nn.ReLU)


def influence(network: nn.Module, size: int) -> int:
    """Return along how many voxels the middle score's gradient is not zero."""
    image = torch.randn(1, 1, size, size, requires_grad=True)
    scores = network(image)
    middle = scores.shape[-1] // 2
    (gradient,) = torch.autograd.grad(scores[0, 0, middle, middle], image)
    return int((gradient[0, 0].abs().sum(0) > 0).sum())


@pytest.mark.parametrize(
    ("layers", "design", "seen"), [(3, "patchgan", 70), (2, "patchgan", 34), (3, "wmh", 56)]
)
def test_the_receptive_field_is_the_published_one(layers, design, seen):
    torch.manual_seed(0)
    network = PatchDiscriminator(2, 1, width=2, layers=layers, norm_name="none", design=design)
    assert receptive_field(layers, design) == seen
    assert influence(network, 160) == seen


@pytest.mark.parametrize("design", ["patchgan", "wmh"])
@pytest.mark.parametrize("side", [32, 45, 64])
def test_the_size_of_the_score_map_is_known_beforehand(design, side):
    network = PatchDiscriminator(2, 1, width=2, design=design)
    scores = network(torch.zeros(1, 1, side, side + 3))
    assert scores.shape == (1, 1, *score_size((side, side + 3), 3, design))


def test_spectral_norm_covers_all_layers_but_the_last():
    network = PatchDiscriminator(2, 1, width=2, layers=2, spectral=True)
    bound = [hasattr(m, "parametrizations") for m in network.layers if isinstance(m, nn.Conv2d)]
    assert bound == [True, True, True, False]


@pytest.mark.parametrize("upsampling", ["resize", "transposed"])
@pytest.mark.parametrize("size", [(32, 32), (30, 33), (12, 10, 9)])
def test_the_generator_keeps_every_size(upsampling, size):
    generator = ResnetGenerator(len(size), 1, width=2, blocks=1, upsampling=upsampling)
    assert generator(torch.randn(2, 1, *size)).shape == (2, 1, *size)


def test_the_output_is_unbounded_unless_asked_otherwise():
    torch.manual_seed(0)
    generators = {
        output: ResnetGenerator(2, 1, width=2, blocks=1, output=output, init_gain=5.0)
        for output in ("linear", "tanh")
    }
    with torch.no_grad():
        largest = {
            n: float(g(torch.randn(1, 1, 16, 16)).abs().max()) for n, g in generators.items()
        }
    assert largest["linear"] > 1 >= largest["tanh"]


def test_the_initial_deviation_is_the_one_asked_for():
    torch.manual_seed(0)
    for gain in (0.02, 0.005):
        weight = ResnetGenerator(2, 1, init_gain=gain).layers[3].weight.detach()
        assert float(weight.std()) == pytest.approx(gain, rel=0.05)


def checkerboard(image: torch.Tensor) -> float:
    """Return the energy at the highest frequency of both axes, relative to the mean's."""
    signs = torch.tensor([(-1.0) ** i for i in range(image.shape[-1])])
    highest = (image * signs * signs[:, None]).mean().square()
    return float(highest / image.mean().square())


def test_resizing_leaves_no_checkerboard_on_a_flat_image_and_transposed_convolution_does():
    for seed in range(3):
        energy = {}
        for upsampling in ("resize", "transposed"):
            torch.manual_seed(seed)
            generator = ResnetGenerator(
                2, 1, width=8, blocks=1, norm_name="none", upsampling=upsampling, init_gain=0.2
            )
            with torch.no_grad():
                flat = generator(torch.ones(1, 1, 64, 64))
            energy[upsampling] = checkerboard(flat[..., 24:40, 24:40])
        assert energy["transposed"] > 1e-5
        assert energy["resize"] < 1e-10
