from __future__ import annotations

import pytest
import torch

from uda_study.losses.segmentation import cross_entropy, one_hot, soft_dice


def example(samples: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(samples, 3, 6, 5, generator=generator, dtype=torch.float64)
    label = torch.randint(0, 3, (samples, 6, 5), generator=generator)
    label[0] = 0
    return logits, label


def test_cross_entropy_is_the_equation_voxel_by_voxel():
    logits, label = example()
    total = 0.0
    for sample, truth in zip(logits, label, strict=True):
        probability = sample.softmax(0)
        for x in range(6):
            for y in range(5):
                c = int(truth[x, y])
                weight = 1 - float((truth == c).double().mean())
                total -= weight * float(probability[c, x, y].log())
    assert float(cross_entropy(logits, label, weighted=True)) == pytest.approx(total / (4 * 30))


def test_unweighted_cross_entropy_is_pytorchs():
    logits, label = example()
    expected = torch.nn.functional.cross_entropy(logits, label)
    torch.testing.assert_close(cross_entropy(logits, label, weighted=False), expected)


def test_soft_dice_is_the_equation_per_sample_and_class():
    logits, label = example()
    scores = []
    for sample, truth in zip(logits, label, strict=True):
        for c, probability in enumerate(sample.softmax(0)):
            y = (truth == c).double()
            denominator = (y * y).sum() + (probability * probability).sum()
            scores.append(2 * (y * probability).sum() / denominator)
    assert float(soft_dice(logits, label)) == pytest.approx(float(torch.stack(scores).mean()))


@pytest.mark.parametrize(
    "loss", [soft_dice, lambda x, y: cross_entropy(x, y, True)], ids=["dice", "cross_entropy"]
)
def test_the_mean_over_two_halves_is_the_whole(loss):
    logits, label = example()
    halves = (loss(logits[:2], label[:2]) + loss(logits[2:], label[2:])) / 2
    torch.testing.assert_close(halves, loss(logits, label))


def test_one_hot_puts_classes_behind_the_samples_in_3d():
    label = torch.randint(0, 2, (2, 3, 4, 5))
    encoded = one_hot(label, torch.empty(2, 2, 1))
    assert encoded.shape == (2, 2, 3, 4, 5)
    assert torch.equal(encoded.argmax(1), label)
