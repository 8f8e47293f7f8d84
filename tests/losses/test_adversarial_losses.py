from __future__ import annotations

import torch

from uda_study.losses import adversarial


def test_the_critic_pulls_real_up_and_fake_down():
    for critic in (adversarial.wasserstein_critic, adversarial.least_squares_critic):
        real = torch.zeros(3, requires_grad=True)
        fake = torch.full((2,), 0.5, requires_grad=True)
        for_real, for_fake = torch.autograd.grad(critic(real, fake), (real, fake))
        assert bool((for_real < 0).all())
        assert bool((for_fake > 0).all())


def test_the_generator_pulls_fake_up():
    for generator in (adversarial.wasserstein_generator, adversarial.least_squares_generator):
        fake = torch.zeros(2, requires_grad=True)
        assert bool((torch.autograd.grad(generator(fake), fake)[0] < 0).all())


def test_maps_of_scores_count_every_position_alike():
    scores = torch.randn(2, 1, 3, 3)
    expected = -scores.flatten().mean()
    torch.testing.assert_close(adversarial.wasserstein_generator(scores), expected)
