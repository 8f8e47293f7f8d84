from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from uda_study.errors import InputError
from uda_study.method import Batch
from uda_study.parts.disentangling import Disentangling
from uda_study.parts.disentangling_settings import DisentanglingHyper
from uda_study.training.step import Stepper, begin_stage
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ"), (16, 16), (1.0, 1.0))


def new_disentangling(**changes) -> Disentangling:
    values = {
        "autoencoder": {"width": 2, "blocks": 1, "style_size": 3, **changes.pop("autoencoder", {})},
        "critic": {"width": 2, "stages": 2, "scales": 2},
        **changes,
    }
    torch.manual_seed(0)
    made = Disentangling(DisentanglingHyper.model_validate(values), TASK)
    begin_stage(made.stage(), 0)
    return made.double()


def images(count: int = 2) -> Batch:
    generator = torch.Generator().manual_seed(1)
    source, target = torch.randn(2, count, 1, 16, 16, generator=generator).double()
    return Batch(source, torch.empty(0), target + 1)


def losses(networks: Disentangling, batch: Batch) -> dict[str, Tensor]:
    return {
        f"{update.player}/{name}": loss.detach()
        for update in networks.updates(lambda: batch)
        for name, loss in update.losses.items()
    }


def test_the_defaults_are_the_published_weights():
    hyper = DisentanglingHyper()
    assert (hyper.loss.reconstruction, hyper.loss.adversarial, hyper.loss.latent) == (25, 10, 0.1)
    assert (hyper.loss.style, hyper.loss.content, hyper.loss.cycle) == (1, 1, 0)
    assert (hyper.autoencoder.style_size, hyper.batch_size) == (8, 1)


def test_both_players_have_adam_as_in_the_public_code():
    for player in new_disentangling().players().values():
        (group,) = player.optimiser.param_groups
        assert (group["lr"], group["betas"], group["weight_decay"]) == (1e-4, (0.5, 0.999), 1e-4)


def test_the_learning_rate_is_halved():
    stepper = Stepper(new_disentangling(optim={"decay_every": 2}), "disentangle")
    rates = []
    for _ in range(5):
        rates.append(stepper.players["critics"].optimiser.param_groups[0]["lr"])
        stepper.step(images)
    assert rates == pytest.approx([1e-4, 1e-4, 5e-5, 5e-5, 2.5e-5])


def test_initial_weights_are_kaimings_and_narrow_in_the_critics():
    networks = new_disentangling(autoencoder={"width": 16})
    kernel = networks.source.decoder.blocks[0].first.weight.detach()
    assert float(kernel.std()) == pytest.approx((2 / kernel[0].numel()) ** 0.5, rel=0.05)
    critics = [
        m.weight.detach().flatten()
        for m in networks.source_critic.modules()
        if isinstance(m, nn.Conv2d)
    ]
    assert float(torch.cat(critics).std()) == pytest.approx(0.02, rel=0.1)


def test_initial_weights_do_not_depend_on_what_was_built_before():
    first, second = new_disentangling(), new_disentangling()
    with torch.no_grad():
        for parameter in second.parameters():
            parameter.uniform_()
    for networks in (first, second):
        begin_stage(networks.stage(), 0)
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )


@pytest.mark.parametrize("kind", ["least_squares", "log"])
@pytest.mark.parametrize("side", ["source_image", "target_image"])
def test_a_constant_image_counts_nothing(kind, side):
    networks = new_disentangling(loss={"type": kind, "cycle": 1.0})
    batch = images()
    image = getattr(batch, side).clone()
    image[1] = 3.0
    with_constant = losses(networks, replace(batch, **{side: image}))
    # What is left of the pair is the reconstruction and the real score of the other image.
    other = "target" if side == "source_image" else "source"
    alone = losses(
        networks,
        Batch(*(t[:1] for t in (batch.source_image, batch.source_label, batch.target_image))),
    )
    for name in ("adversarial", "latent_style", "latent_content", "cycle"):
        key = f"autoencoders/{name}"
        assert float(with_constant[key]) == pytest.approx(float(alone[key]) / 2), name
    own = side.split("_")[0]
    assert float(with_constant[f"critics/{own}"]) == pytest.approx(
        float(alone[f"critics/{own}"]) / 2
    )
    assert float(with_constant[f"critics/{other}"]) > float(alone[f"critics/{other}"]) / 2


def test_a_step_on_constant_images_alone_is_finite_and_learns_nothing():
    networks = new_disentangling(optim={"weight_decay": 0})
    before = {name: value.clone() for name, value in networks.state_dict().items()}
    blank = Batch(
        torch.zeros(2, 1, 16, 16).double(), torch.empty(0), torch.ones(2, 1, 16, 16).double()
    )
    assert all(float(v) == 0 for v in Stepper(networks, "disentangle").step(lambda: blank).values())
    assert all(torch.equal(before[n], v) for n, v in networks.state_dict().items())


def test_a_style_of_the_prior_is_new_in_every_step_and_needs_no_other_image():
    networks = new_disentangling(style_source="prior")
    batch = images(1)
    torch.manual_seed(0)
    first = losses(networks, batch)
    torch.manual_seed(1)
    assert losses(networks, batch)["autoencoders/adversarial"] != first["autoencoders/adversarial"]
    constant = replace(batch, target_image=torch.zeros_like(batch.target_image))
    assert float(losses(networks, constant)["autoencoders/adversarial"]) > 0
    encoded = new_disentangling(style_source="encoded")
    assert float(losses(encoded, constant)["autoencoders/adversarial"]) == 0


def test_content_only_images_come_from_the_own_encoder_and_the_sources_decoder():
    image = images().target_image
    networks = new_disentangling()
    content = networks.target.content(image)
    expected = networks.source.decoder.content_only(content)
    assert torch.equal(networks.content_only(image, "target"), expected)
    own = new_disentangling(decoder="own")
    assert torch.equal(own.content_only(image, "target"), own.target.decoder.content_only(content))
    assert torch.equal(own.content_only(image, "source"), networks.content_only(image, "source"))


def test_a_style_of_zeros_is_a_style_like_any_other():
    image = images().target_image
    networks = new_disentangling(content_decode="zero_style")
    zeros = torch.zeros(2, 3).double()
    painted = networks.source.decoder(networks.target.content(image), zeros)
    assert torch.equal(networks.content_only(image, "target"), painted)


def test_features_are_the_content_itself_at_the_images_size():
    image = images().target_image
    networks = new_disentangling(content_decode="features")
    seen = networks.content_only(image, "target")
    assert seen.shape == (2, networks.content_channels, 16, 16) == (2, 8, 16, 16)
    assert torch.equal(seen[:, :, ::4, ::4], networks.target.content(image))
    assert networks.content_image(image, "target").shape == image.shape


@pytest.mark.parametrize("size", [(12, 12), (18, 20), (16, 14)])
def test_patches_that_cannot_be_halved_are_refused(size):
    task = Task(2, 1, ("background", "organ"), size, (1.0, 1.0))
    hyper = DisentanglingHyper.model_validate({"critic": {"stages": 2, "scales": 2}})
    with pytest.raises(InputError, match="multiples of 4 and at least 16 voxels"):
        Disentangling(hyper, task)


def test_the_published_critic_needs_61_voxels():
    task = Task(2, 1, ("background", "organ"), (60, 64), (1.0, 1.0))
    with pytest.raises(InputError, match="at least 61 voxels along every side, got 60x64"):
        Disentangling(DisentanglingHyper(), task)
