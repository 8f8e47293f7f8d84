from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from uda_study.parts.perturbation import PerturbationHyper, perturb


def image(*size: int) -> torch.Tensor:
    return 3 + 2 * torch.randn(*size, generator=torch.Generator().manual_seed(0))


def test_no_noise_and_a_gamma_of_one_change_nothing():
    x = image(2, 1, 8, 8)
    same = perturb(x, PerturbationHyper(noise=0, gamma=1))
    torch.testing.assert_close(same, x)


@pytest.mark.parametrize("size", [(3, 2, 16, 16), (2, 1, 8, 8, 8)])
def test_gamma_keeps_the_range_and_the_order_of_intensities(size):
    x = image(*size)
    bent = perturb(x, PerturbationHyper(noise=0, gamma=2))
    for before, after in zip(x.flatten(0, 1), bent.flatten(0, 1), strict=True):
        torch.testing.assert_close(after.min(), before.min())
        torch.testing.assert_close(after.max(), before.max())
        order = before.flatten().argsort()
        assert bool((after.flatten()[order].diff() >= 0).all())
    assert not torch.allclose(bent, x, atol=0.01)


def test_every_channel_of_every_sample_is_bent_by_itself():
    x = image(1, 1, 8, 8).expand(2, 2, 8, 8)
    bent = perturb(x, PerturbationHyper(noise=0, gamma=2)).flatten(0, 1)
    assert len({float(channel.mean()) for channel in bent}) == 4


def test_noise_is_measured_in_deviations_of_the_image():
    x = image(1, 1, 64, 64)
    for scale in (1.0, 100.0):
        change = perturb(scale * x, PerturbationHyper(noise=0.5, gamma=1)) - scale * x
        assert float(change.std() / (scale * x).std()) == pytest.approx(0.5, rel=0.05)


def test_a_constant_image_stays_finite_and_as_it_is():
    x = torch.full((1, 1, 4, 4), -2.0)
    assert torch.equal(perturb(x, PerturbationHyper()), x)


def test_a_gamma_below_one_is_refused():
    with pytest.raises(ValidationError, match="gamma"):
        PerturbationHyper(gamma=0.5)
