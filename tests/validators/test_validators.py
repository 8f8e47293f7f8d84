import math

import probes
import pytest
import torch
from probes import Predict, boxes, thresholding
from torch import Tensor

from uda_study import plugins
from uda_study.validator import Validator

WORST = {"entropy": -1.0, "entropy_fg": -1.0, "consistency": 0.0}
BEST = {"entropy": 0.0, "entropy_fg": 0.0, "consistency": 1.0}


def certain_background(images: Tensor) -> Tensor:
    foreground = torch.zeros_like(images)
    return torch.cat([1 - foreground, foreground, foreground], dim=1)


def uniform(images: Tensor) -> Tensor:
    return torch.full((len(images), 4, *images.shape[2:]), 0.25)


def random_labels(images: Tensor) -> Tensor:
    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(int(images.sum())))
    return torch.cat([noise, 1 - noise], dim=1)


def score(name: str, predict: Predict, spatial_dims: int = 2, seed: int = 0) -> float:
    return probes.score(name, predict, boxes(spatial_dims), seed=seed)


names = pytest.mark.parametrize("name", sorted(WORST))


@names
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_a_correct_confident_model_beats_an_uncertain_one(name: str, spatial_dims: int) -> None:
    good = score(name, thresholding(5), spatial_dims)
    assert good > score(name, random_labels, spatial_dims) + 0.1
    assert WORST[name] <= good <= BEST[name]


@pytest.mark.parametrize("name", ["entropy", "entropy_fg"])
def test_more_certainty_is_better(name: str) -> None:
    assert (
        score(name, thresholding(0.2)) < score(name, thresholding(1)) < score(name, thresholding(5))
    )


@pytest.mark.parametrize("name", ["entropy_fg", "consistency"])
def test_a_model_that_finds_nothing_gets_the_worst_value(name: str) -> None:
    assert score(name, certain_background) == WORST[name]


def test_entropy_is_flattered_by_certain_background_as_its_docstring_says() -> None:
    assert score("entropy", certain_background) == 0.0


def test_entropy_of_a_guess_is_minus_one_whatever_the_number_of_classes() -> None:
    assert score("entropy", uniform) == pytest.approx(-1.0)


def test_foreground_entropy_reads_predicted_foreground_alone() -> None:
    def predict(images: Tensor) -> Tensor:
        box = images[:, 0] > 2
        foreground = torch.where(box, torch.tensor(0.9), torch.tensor(0.5 - 1e-3))
        return torch.stack([1 - foreground, foreground], dim=1)

    inside = -(0.9 * math.log2(0.9) + 0.1 * math.log2(0.1))
    assert score("entropy_fg", predict) == pytest.approx(-inside, abs=1e-6)


@names
def test_the_same_seed_gives_the_same_score(name: str) -> None:
    assert score(name, thresholding(0.5), seed=3) == score(name, thresholding(0.5), seed=3)


def test_another_seed_gives_other_transforms() -> None:
    def moved(seed: int) -> list[Tensor]:
        seen: list[Tensor] = []

        def predict(images: Tensor) -> Tensor:
            seen.append(images)
            return thresholding(1)(images)

        score("consistency", predict, seed=seed)
        return seen

    original, *views = moved(seed=0)
    assert torch.equal(original, boxes(2))
    assert len(views) == 2
    assert not torch.equal(views[0], views[1])
    assert not torch.equal(views[0], moved(seed=1)[1])


def test_consistency_undoes_its_own_shift() -> None:
    assert score("consistency", thresholding(5)) == 1.0


def test_consistency_falls_for_a_model_that_looks_at_position() -> None:
    def left_half(images: Tensor) -> Tensor:
        foreground = torch.zeros_like(images)
        foreground[..., : images.shape[-1] // 2] = 1
        return torch.cat([1 - foreground, foreground], dim=1)

    assert 0.5 < score("consistency", left_half) < 1.0


def test_a_structure_that_is_never_found_halves_the_consistency_of_two() -> None:
    def with_absent_third_class(images: Tensor) -> Tensor:
        found = thresholding(5)(images)
        return torch.cat([found, torch.zeros_like(found[:, :1])], dim=1)

    assert score("consistency", with_absent_third_class) == 0.5


@names
def test_scores_are_finite_for_constant_tiny_images_and_exact_zeros(name: str) -> None:
    images = torch.full((2, 2, 4, 1, 9), 3.0)
    validator = plugins.load("validators", name, Validator)()

    def hard(images: Tensor) -> Tensor:
        one = torch.ones_like(images[:, :1])
        return torch.cat([0 * one, one], dim=1)

    assert math.isfinite(validator.score(probes.probe(hard, images)))


@names
def test_scores_bear_probabilities_in_reduced_precision(name: str) -> None:
    def reduced(images: Tensor) -> Tensor:
        return thresholding(3)(images).bfloat16()

    assert score(name, reduced) == pytest.approx(score(name, thresholding(3)), abs=0.02)
