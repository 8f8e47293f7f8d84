import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uda_study.data.grid import Grid, labels_to_native, labels_to_study
from uda_study.data.grid import resample_to_native as back
from uda_study.data.grid import resample_to_study as forth

OBLIQUE = np.array(
    [[-0.68, 0.02, 0.3, 10], [0.03, 0.69, 0.5, -20], [0.05, -0.12, 2.4, 5], [0, 0, 0, 1]]
)


def signed_permutation(axes: list[int], signs: list[int]) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, axes] * signs
    affine[:3, 3] = 7
    return affine


@given(st.permutations([0, 1, 2]), st.lists(st.sampled_from([-1, 1]), min_size=3, max_size=3))
@settings(max_examples=20, deadline=None)
def test_flips_and_permutations_copy_voxels_exactly(axes, signs):
    array = np.random.default_rng(0).normal(size=(3, 4, 5))
    affine = signed_permutation(list(axes), signs)
    grid = Grid.of(array.shape, affine, None, None)
    study = forth(array, grid, order=1)
    assert study.dtype == array.dtype
    np.testing.assert_array_equal(np.asarray(grid.affine)[:3, :3], np.eye(3))
    # The voxel at the same place in the world has the same value.
    for index in np.ndindex(grid.shape):
        native = np.linalg.inv(affine) @ np.asarray(grid.affine) @ [*index, 1]
        assert study[index] == array[tuple(np.round(native[:3]).astype(int))]
    np.testing.assert_array_equal(back(study, grid, order=1), array)


def test_oblique_images_keep_their_own_axes():
    grid = Grid.of((10, 11, 12), OBLIQUE, None, None)
    assert grid.shape == (10, 11, 12)
    np.testing.assert_allclose(grid.spacing, np.linalg.norm(OBLIQUE[:3, :3], axis=0))
    array = np.arange(10 * 11 * 12.0).reshape(10, 11, 12)
    np.testing.assert_array_equal(forth(array, grid, order=1), array[::-1])


def test_spacing_sets_the_voxels_and_keeps_the_centre_in_place():
    grid = Grid.of((20, 20, 10), OBLIQUE, (1.0, 0.5, 2.0), None)
    np.testing.assert_allclose(grid.spacing, (1.0, 0.5, 2.0))
    middle = [(np.array(shape) - 1) / 2 for shape in (grid.shape, grid.native_shape)]
    here = np.asarray(grid.affine) @ [*middle[0], 1]
    np.testing.assert_allclose(here, OBLIQUE @ [*middle[1], 1], atol=1e-9)


def test_linear_gradient_survives_resampling():
    native = np.broadcast_to(np.arange(24.0)[:, None, None], (24, 8, 8))
    grid = Grid.of(native.shape, np.eye(4), (0.5, 0.5, 0.5), None)
    study = forth(native, grid, order=1)
    assert study.shape == (48, 16, 16)
    np.testing.assert_allclose(study[4:-4, 0, 0], np.arange(48)[4:-4] * 0.5 - 0.25, atol=1e-5)
    np.testing.assert_allclose(back(study, grid, order=1)[4:-4], native[4:-4], atol=1e-4)


def test_size_crops_and_pads_around_the_centre_with_the_fill():
    array = np.arange(6.0)[:, None, None] * np.ones((6, 5, 4))
    grid = Grid.of(array.shape, np.eye(4), None, (4, 9, 4))
    study = forth(array, grid, order=1, fill=-1)
    np.testing.assert_array_equal(study[:, 4, 0], [1, 2, 3, 4])
    np.testing.assert_array_equal(study[0, :, 0] == -1, [1, 1, 0, 0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(back(study, grid, order=1)[:, 0, 0], [0, 1, 2, 3, 4, 0])


def test_anti_aliasing_removes_what_the_coarse_grid_cannot_show():
    checker = np.indices((32, 32, 32)).sum(axis=0) % 2 * 2.0 - 1
    grid = Grid.of(checker.shape, np.eye(4), (3, 3, 3), None)
    assert np.abs(forth(checker, grid, order=1)).max() < 0.1
    assert np.abs(forth(checker, grid, order=0)).max() == 1


def test_nearly_equal_spacing_is_not_interpolated():
    array = np.random.default_rng(0).normal(size=(9, 9, 9))
    grid = Grid.of(array.shape, np.diag([2.00001, 2, 2, 1]), (2, 2, 2), None)
    np.testing.assert_array_equal(forth(array, grid, order=1), array)


def test_grid_survives_json_exactly():
    grid = Grid.of((20, 30, 10), OBLIQUE, (1.0, 0.7, 2.0), (32, 32, 16))
    assert Grid.from_json(grid.to_json()) == grid


def test_labels_return_to_the_native_grid_and_are_background_outside():
    ball = (np.linalg.norm(np.indices((30, 30, 20)) - 12.0, axis=0) < 7).astype(np.uint8)
    grid = Grid.of(ball.shape, OBLIQUE, (0.9, 0.9, 1.5), (22, 22, 32))
    study = labels_to_study(ball, grid, 2)
    probabilities = np.stack([study == 0, study == 1]).astype(np.float32)
    returned = labels_to_native(probabilities, grid)
    assert returned.shape == ball.shape
    assert returned.dtype == np.uint8
    dice = 2 * (returned & ball).sum() / (returned.sum() + ball.sum())
    assert dice > 0.9
    assert returned[0, 0, 0] == 0


@pytest.mark.parametrize("spacing", [None, (1.0, 1.0, 1.0)])
def test_a_single_slice_stays_one(spacing):
    grid = Grid.of((8, 9, 1), np.eye(4), spacing, (16, 16, 1))
    assert grid.shape == (16, 16, 1)
    array = np.random.default_rng(0).normal(size=(8, 9, 1))
    np.testing.assert_array_equal(back(forth(array, grid, order=1), grid, order=1), array)


@pytest.mark.parametrize(
    ("slices", "order"),
    [("axial", (0, 1, 2)), ("coronal", (0, 2, 1)), ("sagittal", (1, 2, 0))],
)
def test_the_axis_across_the_slices_comes_last(slices, order):
    array = np.random.default_rng(0).normal(size=(6, 7, 8)).astype(np.float32)
    spacing, size = (1.0, 0.5, 2.0), (8, 12, 5)
    axial = Grid.of(array.shape, OBLIQUE, spacing, size)
    grid = Grid.of(array.shape, OBLIQUE, spacing, size, slices)
    assert grid.shape == tuple(size[axis] for axis in order)
    assert grid.spacing == pytest.approx([spacing[axis] for axis in order])
    study = forth(array, grid, order=1)
    assert np.allclose(study, forth(array, axial, order=1).transpose(order), atol=1e-5)
    returned = back(study, grid, order=1)
    flat = back(study.transpose(np.argsort(order)), axial, order=1)
    assert np.allclose(returned, flat, atol=1e-5)
