"""The bank against SimpleITK's filter and SciPy's divergence."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from uda_study.parts.histogram_bank import HistogramBank, MatchingHyper

LEVELS = 4096


def head(seed: int, size: tuple[int, ...] = (40, 40), power: float = 1.0) -> np.ndarray:
    """A noisy background around a body of several intensities."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in size), indexing="ij"))
    radius = np.sqrt((grid**2).sum(0))
    body = (radius < 0.8) * (2 + np.sin(4 * radius + seed) + 0.5 * grid[0])
    return (np.abs(body) ** power + rng.normal(0, 0.1, size) - 1).astype(np.float32)


def stack(*images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(images))[:, None]


def bank_of(*images: np.ndarray, points: int = 7, at_mean: bool = True) -> HistogramBank:
    bank = HistogramBank(len(images), 1, MatchingHyper(points=points, at_mean=at_mean))
    bank.add(stack(*images), stack(*images))
    return bank


def by_simpleitk(image: np.ndarray, reference: np.ndarray, points: int, at_mean: bool):
    matching = sitk.HistogramMatchingImageFilter()
    matching.SetNumberOfHistogramLevels(LEVELS)
    matching.SetNumberOfMatchPoints(points)
    matching.SetThresholdAtMeanIntensity(at_mean)
    images = (sitk.GetImageFromArray(array) for array in (image, reference))
    return sitk.GetArrayFromImage(matching.Execute(*images))


@pytest.mark.parametrize("size", [(40, 40), (20, 16, 16)])
@pytest.mark.parametrize("points", [1, 7, 15])
@pytest.mark.parametrize("at_mean", [True, False])
def test_matching_is_simpleitks_but_for_the_width_of_its_bins(size, points, at_mean):
    image, reference = head(0, size, power=2.0), head(1, size)
    ours = bank_of(reference, points=points, at_mean=at_mean).match(stack(image))[0, 0].numpy()
    theirs = by_simpleitk(image, reference, points, at_mean)
    # SimpleITK interpolates quantiles in bins, which differ from exact ones most where
    # neighbouring intensities lie far apart.
    assert np.abs(ours - theirs).max() < 0.02 * np.ptp(reference)
    assert np.abs(ours - theirs).mean() < 0.002 * np.ptp(reference)
    assert np.abs(theirs - image).mean() > 0.1 * np.ptp(reference)


def test_below_the_mean_the_map_is_one_straight_line():
    image, reference = head(0, power=2.0), head(1)
    matched = bank_of(reference).match(stack(image))[0, 0].numpy()
    dark = image < image.mean()
    slope = (reference.mean() - reference.min()) / (image.mean() - image.min())
    expected = reference.min() + slope * (image - image.min())
    np.testing.assert_allclose(matched[dark], expected[dark], atol=1e-4)


def test_minimum_mean_and_maximum_become_those_of_the_source():
    image, reference = head(0, power=2.0), head(1)
    matched = bank_of(reference).match(stack(image)).numpy()
    assert matched.min() == pytest.approx(reference.min(), abs=1e-4)
    assert matched.max() == pytest.approx(reference.max(), abs=1e-4)
    median = np.median(matched[matched >= reference.mean()])
    assert median == pytest.approx(np.median(reference[reference >= reference.mean()]), abs=0.02)


def test_an_image_of_the_bank_comes_back_as_it_is():
    images = [head(seed) for seed in range(3)]
    torch.testing.assert_close(bank_of(*images).match(stack(*images)), stack(*images))


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.3, 3), st.booleans())
def test_the_map_never_reverses_two_intensities(seed, power, at_mean):
    image = head(seed, (12, 12), power)
    matched = bank_of(head(seed + 1, (12, 12)), at_mean=at_mean).match(stack(image))
    order = image.ravel().argsort()
    assert np.diff(matched.numpy().ravel()[order]).min() >= -1e-5


def test_the_nearest_source_image_is_scipys_by_voxels_above_the_mean():
    sources = [head(seed, power=0.5 + 0.3 * seed) for seed in range(6)]
    targets = [head(seed + 10, power=0.6 + 0.25 * seed) for seed in range(6)]
    bank = HistogramBank(6, 1, MatchingHyper())
    bank.add(stack(*sources), stack(*targets))
    bright = [image[image >= image.mean()] for image in (*sources, *targets)]
    pooled = np.sort(np.concatenate(bright))
    edges = [pooled[round(share * (len(pooled) - 1))] for share in (0.001, 0.999)]
    np.testing.assert_allclose(bank.edges[0].numpy(), edges, rtol=1e-6)
    bins = np.linspace(*edges, 65)
    shares = [np.histogram(b.clip(*edges), bins)[0] / len(b) for b in bright]
    for number, target in enumerate(targets):
        distances = [jensenshannon(shares[6 + number], shares[i]) for i in range(6)]
        alone = bank_of(sources[int(np.argmin(distances))])
        torch.testing.assert_close(bank.match(stack(target)), alone.match(stack(target)))


def test_each_channel_chooses_by_itself():
    dark, bright = head(0), head(0) * 3 + 5
    bank = HistogramBank(2, 2, MatchingHyper())
    source = torch.cat([stack(dark, bright), stack(bright, dark)], 1)
    bank.add(source, source)
    mixed = torch.cat([stack(dark), stack(dark)], 1)
    torch.testing.assert_close(bank.match(mixed), mixed)


def test_the_bank_fills_up_and_ignores_what_does_not_fit():
    bank = HistogramBank(3, 1, MatchingHyper())
    images = [head(seed) for seed in range(4)]
    bank.add(stack(*images[:2]), stack(*images[:2]))
    edges = bank.edges.clone()
    assert int(bank.filled) == 2
    torch.testing.assert_close(bank.match(stack(images[1])), stack(images[1]))
    bank.add(stack(*images[2:]), stack(*(9 * image for image in images[2:])))
    assert int(bank.filled) == 3
    assert torch.equal(bank.edges, edges), "the first batch alone gives the range"
    before = {name: value.clone() for name, value in bank.state_dict().items()}
    bank.add(stack(*images), stack(*images))
    assert all(torch.equal(before[name], value) for name, value in bank.state_dict().items())
    bank.clear()
    assert int(bank.filled) == 0


def test_the_empty_part_of_a_bank_is_never_chosen():
    bank = HistogramBank(5, 1, MatchingHyper())
    bank.add(stack(head(0)), stack(head(0) + 50))
    whole = bank_of(head(0))
    torch.testing.assert_close(bank.match(stack(head(0) + 50)), whole.match(stack(head(0) + 50)))


def test_a_constant_image_stays_and_one_in_the_bank_does_no_harm():
    flat, image = np.full((8, 8), 0.1, np.float32), head(0, (8, 8))
    assert torch.equal(bank_of(image).match(stack(flat)), stack(flat))
    torch.testing.assert_close(bank_of(flat, image).match(stack(image)), stack(image))


def test_what_is_kept_is_far_smaller_than_the_images():
    bank = HistogramBank(10, 1, MatchingHyper())
    kept = sum(value.numel() for value in bank.state_dict().values())
    assert kept < 10 * 80
