from __future__ import annotations

import math

import pytest
import torch

from uda_study.losses.entropy import normalised_entropy


def test_entropy_is_zero_for_certain_and_one_for_even_predictions_whatever_the_classes():
    for classes in (2, 5):
        even = torch.zeros(2, classes, 3, 3)
        certain = 1000 * torch.eye(classes)[torch.zeros(2, 3, 3, dtype=torch.long)].movedim(-1, 1)
        assert float(normalised_entropy(even)) == pytest.approx(1.0)
        assert float(normalised_entropy(certain)) == 0.0


def test_entropy_is_the_mean_over_voxels_and_samples_of_the_formula():
    logits = torch.randn(2, 3, 4, 4, 2, generator=torch.Generator().manual_seed(0)).double()
    p = logits.softmax(1)
    expected = -(p * p.log()).sum(1).mean() / math.log(3)
    torch.testing.assert_close(normalised_entropy(logits), expected)


def test_the_gradient_is_finite_for_certain_predictions_in_reduced_precision():
    logits = torch.tensor([[500.0, -500.0, 0.0]], dtype=torch.bfloat16, requires_grad=True)
    entropy = normalised_entropy(logits)
    assert entropy.dtype == torch.float32
    (gradient,) = torch.autograd.grad(entropy, logits)
    assert bool(torch.isfinite(gradient).all())


def test_descent_makes_a_prediction_more_certain():
    logits = torch.tensor([[1.0, 0.5, 0.0]], requires_grad=True)
    (gradient,) = torch.autograd.grad(normalised_entropy(logits), logits)
    assert int(gradient.argmin()) == 0
    assert int(gradient.argmax()) != 0
