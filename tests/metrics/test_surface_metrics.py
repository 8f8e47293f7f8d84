"""Metrics of surfaces, against distances between all pairs of border voxels."""

import math

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own name for itself
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from measuring import SPACING, Labels, masks, random_masks, value

from uda_study.errors import InputError
from uda_study.metric import Comparison
from uda_study.metrics import _surface
from uda_study.metrics._region import region
from uda_study.metrics.nsd import share_within

DISTANCES = ("hd95", "asd", "assd")
SHAPES = {"3D": (7, 6, 5), "2D": (11, 9, 1), "2D sagittal": (1, 9, 11), "1D": (1, 17, 1)}


def border_voxels(mask: Labels, spacing: tuple[float, ...]) -> np.ndarray:
    """Look at every neighbour along every axis that the image extends along."""
    places = []
    for place in np.argwhere(mask):
        for axis, size in enumerate(mask.shape):
            for step in (-1, 1):
                beside = place.copy()
                beside[axis] += step
                beyond = not 0 <= beside[axis] < size
                if size > 1 and (beyond or not mask[tuple(beside)]):
                    places.append(tuple(place))
    return np.array(sorted(set(places))) * spacing


def by_pairs(prediction: Labels, truth: Labels, spacing: tuple[float, ...]) -> dict[str, float]:
    p, t = border_voxels(prediction, spacing), border_voxels(truth, spacing)
    pairs = np.sqrt(((p[:, None] - t[None]) ** 2).sum(-1))
    forth, back = pairs.min(1), pairs.min(0)
    shape = truth.shape
    edges = sorted(edge for edge, size in zip(spacing, shape, strict=True) if size > 1)
    tolerance = {1: edges[0], 2: edges[-1], 3: edges[len(edges) // 2]}[len(edges)] + 1e-9
    both = np.concatenate([forth, back])
    return {
        "hd95": max(np.percentile(forth, 95), np.percentile(back, 95)),
        "asd": forth.mean(),
        "assd": both.mean(),
        "nsd": (both <= tolerance).mean(),
    }


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("spacing", [SPACING, (2.5, 0.31, 0.9)])
@pytest.mark.parametrize("seed", range(6))
def test_surfaces_agree_with_distances_between_all_pairs(shape, spacing, seed):
    prediction, truth = random_masks(shape, seed)
    expected = by_pairs(prediction, truth, spacing)
    found = {name: value(name, prediction, truth, spacing) for name in expected}
    assert found == pytest.approx(expected)


def test_smooth_surfaces_agree_with_distances_between_all_pairs():
    grid = np.indices((24, 24, 12)).transpose(1, 2, 3, 0) * SPACING
    centre = np.array([11.0, 11.0, 6.0]) * SPACING
    truth = (np.linalg.norm(grid - centre, axis=-1) < 6).astype(np.uint8)
    prediction = (np.linalg.norm(grid - centre - [1, 0, 2], axis=-1) < 5).astype(np.uint8)
    expected = by_pairs(prediction, truth, SPACING)
    found = {name: value(name, prediction, truth) for name in expected}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_the_average_distance_agrees_with_simpleitks_distance_map(seed):
    prediction, truth = random_masks((9, 8, 7), seed)
    borders = []
    for mask in (prediction, truth):
        padded = sitk.ConstantPad(sitk.GetImageFromArray(mask), (1,) * 3, (1,) * 3)
        contour = sitk.LabelContour(padded, fullyConnected=False)
        contour.SetSpacing(SPACING[::-1])
        borders.append(contour)
    apart = sitk.SignedMaurerDistanceMap(borders[1], squaredDistance=False, useImageSpacing=True)
    inside = sitk.GetArrayFromImage(borders[0]) > 0
    expected = np.abs(sitk.GetArrayFromImage(apart)[inside]).mean()
    assert value("asd", prediction, truth) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_both_ways_to_compute_distances_agree(seed):
    prediction, truth = (mask > 0 for mask in random_masks((9, 10, 4), seed))
    tree = _surface.by_tree(prediction, truth, SPACING)
    transform = _surface.by_transform(prediction, truth, SPACING)
    np.testing.assert_allclose(tree, transform, rtol=1e-12)


def test_few_voxels_in_a_large_box_are_looked_up_in_a_tree(monkeypatch):
    asked = []
    monkeypatch.setattr(_surface, "by_tree", lambda *_: asked.append("tree"))
    monkeypatch.setattr(_surface, "by_transform", lambda *_: asked.append("transform"))
    sparse = np.zeros((10, 10, 10), bool)
    sparse[0, 0, 0] = sparse[9, 9, 9] = True
    _surface.distances(sparse, sparse, SPACING)
    _surface.distances(~sparse, sparse, SPACING)
    assert asked == ["tree", "transform"]


def test_masks_are_cut_to_the_box_around_both_of_the_structure():
    truth, prediction = np.zeros((2, 20, 20, 1), np.uint8)
    truth[3:7, 4:6], prediction[5:9, 5:6] = 2, 2
    truth[15, 15] = prediction[0, 0] = 1
    part = region(Comparison(prediction, truth, SPACING), 2)
    assert part.predicted.shape == part.true.shape == (6, 2)
    assert (part.predicted.sum(), part.true.sum()) == (4, 8)
    assert part.spacing == SPACING[:2]


def test_two_voxels_are_as_far_apart_as_their_centres():
    prediction, truth = np.zeros((2, 8, 9, 4), np.uint8)
    prediction[1, 2, 0] = truth[4, 6, 2] = 1
    expected = math.dist((0.7, 2.0, 0.0), (2.8, 6.0, 6.2))
    assert value("hd95", prediction, truth) == pytest.approx(expected)
    assert value("assd", prediction, truth) == pytest.approx(expected)


def test_a_slice_has_no_surface_across_it():
    truth = np.zeros((20, 20, 1), np.uint8)
    truth[5:15, 5:15] = 1
    hollow = truth.copy()
    hollow[9:11, 9:11] = 0
    # The rim around the hole has eight voxels, 4 mm from the outline, whose 36 are at distance 0;
    # if slices had a surface across, the 96 voxels of the rest would be surface, too.
    assert value("asd", hollow, truth, (1.0, 1.0, 5.0)) == pytest.approx(8 * 3 / (36 + 8))
    assert value("hd95", hollow, truth, (1.0, 1.0, 5.0)) == 3


def test_the_average_distance_has_a_direction():
    truth = np.zeros((12, 12, 6), np.uint8)
    truth[1:4, 1:4, 1:4] = truth[8:11, 8:11, 1:4] = 1
    half = truth.copy()
    half[8:] = 0
    assert value("asd", half, truth) == 0
    assert value("asd", truth, half) > 1
    assert value("assd", half, truth) == pytest.approx(value("assd", truth, half))


def test_the_percentile_ignores_what_is_rarer():
    truth = np.zeros((40, 40, 1), np.uint8)
    truth[5:30, 5:30] = 1
    speck = truth.copy()
    speck[39, 39] = 1
    assert value("hd95", speck, truth) == 0
    assert value("assd", speck, truth) > 0


def test_empties_follow_the_rules():
    nothing, something = np.zeros((2, 4, 5, 6), np.uint8)
    something[1, 1, 1] = 1
    diagonal = math.hypot(4 * 0.7, 5 * 1.0, 6 * 3.1)
    for name in DISTANCES:
        assert value(name, nothing, nothing) == 0
        assert value(name, nothing, something) == pytest.approx(diagonal)
        assert value(name, something, nothing) == pytest.approx(diagonal)
    assert value("nsd", nothing, nothing) == 1
    assert value("nsd", nothing, something) == value("nsd", something, nothing) == 0


def test_the_diagonal_of_a_slice_lies_in_the_slice():
    nothing, something = np.zeros((2, 3, 4, 1), np.uint8)
    something[1, 1, 0] = 1
    assert value("hd95", nothing, something, (1.0, 1.0, 100.0)) == 5


def test_a_full_mask_has_the_border_of_the_image():
    full, less = np.ones((6, 6, 6), np.uint8), np.ones((6, 6, 6), np.uint8)
    less[0] = 0
    assert value("hd95", full, full) == 0
    assert value("hd95", less, full) == pytest.approx(0.7)
    assert value("nsd", less, full) == 1


def test_an_offset_of_one_voxel_is_within_tolerance_and_of_two_is_not():
    truth = np.zeros((30, 12, 12), np.uint8)
    truth[2:22, 4:8, 4:8] = 1
    assert value("nsd", np.roll(truth, 1, axis=1), truth, (3.1, 0.7, 0.7)) == 1
    assert value("nsd", np.roll(truth, 2, axis=1), truth, (3.1, 0.7, 0.7)) < 1
    assert value("nsd", np.roll(truth, 1, axis=0), truth, (3.1, 0.7, 0.7)) < 1


@settings(deadline=None, max_examples=40)
@given(masks(5, 4, 3), masks(5, 4, 3))
def test_symmetric_metrics_are_symmetric_and_all_are_bounded(a: Labels, b: Labels):
    diagonal = math.hypot(5 * 0.7, 4 * 1.0, 3 * 3.1)
    for name in ("hd95", "assd", "nsd"):
        assert value(name, a, b) == pytest.approx(value(name, b, a))
    assert all(0 <= value(name, a, b) <= diagonal for name in DISTANCES)
    assert 0 <= value("nsd", a, b) <= 1
    both = value("asd", a, b), value("asd", b, a)
    assert min(both) - 1e-9 <= value("assd", a, b) <= max(both) + 1e-9


@settings(deadline=None, max_examples=30)
@given(masks(4, 3, 3), masks(4, 3, 3), st.tuples(*[st.integers(0, 3)] * 3))
def test_moving_both_moves_nothing(a: Labels, b: Labels, offset: tuple[int, int, int]):
    assume(a.any() and b.any())
    moved = [np.zeros((8, 8, 8), np.uint8) for _ in range(2)]
    still = [np.zeros((8, 8, 8), np.uint8) for _ in range(2)]
    for mask, here, there in zip((a, b), still, moved, strict=True):
        here[:4, :3, :3] = mask
        there[tuple(slice(o, o + n) for o, n in zip(offset, mask.shape, strict=True))] = mask
    for name in (*DISTANCES, "nsd", "dice", "lesion_f1"):
        assert value(name, *moved) == pytest.approx(value(name, *still))


@settings(deadline=None, max_examples=30)
@given(masks(5, 4, 3), masks(5, 4, 3), st.lists(st.floats(0, 20), min_size=2, max_size=5))
def test_a_larger_tolerance_never_costs(a: Labels, b: Labels, tolerances: list[float]):
    comparison = Comparison(a, b, SPACING)
    shares = [share_within(comparison, 1, tolerance) for tolerance in sorted(tolerances)]
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)


@settings(deadline=None, max_examples=20)
@given(masks(4, 4, 3), masks(4, 4, 3), st.floats(0.1, 10))
def test_distances_grow_with_the_voxels(a: Labels, b: Labels, scale: float):
    larger = tuple(scale * edge for edge in SPACING)
    for name in DISTANCES:
        assert value(name, a, b, larger) == pytest.approx(scale * value(name, a, b))
    assert value("nsd", a, b, larger) == value("nsd", a, b)


def test_a_flat_spacing_is_refused():
    with pytest.raises(InputError, match="positive lengths"):
        value("hd95", *random_masks((3, 3, 3), 0), (1.0, -1.0, 1.0))
