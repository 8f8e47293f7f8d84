import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from uda_study.data.windows import (
    predict_slabs,
    predict_volume,
    translate_volume,
)
from uda_study.types import Task


def task_of(patch, channels=1):
    return Task(len(patch), channels, ("background", "box"), patch, (1.0,) * len(patch))


def pointwise(image):
    """Voxel by voxel, so that windows cannot change the answer."""
    foreground = torch.sigmoid(image[:, image.shape[1] // 2])
    return torch.stack([1 - foreground, foreground], dim=1)


def volume(*shape):
    return np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)


@given(
    st.tuples(*[st.integers(1, 13)] * 3),
    st.sampled_from([(8, 8), (5, 9), (8, 8, 4), (3, 5, 7)]),
    st.sampled_from([0.0, 0.25, 0.5, 0.75]),
    st.integers(1, 5),
)
@settings(max_examples=40, deadline=None)
def test_pointwise_networks_see_no_windows(shape, patch, overlap, batch_size):
    image = volume(*shape)
    found = predict_volume(image, pointwise, task_of(patch), overlap=overlap, batch_size=batch_size)
    expected = pointwise(torch.from_numpy(image)[None])[0].numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("patch", "deepest"), [((8, 8), 2), ((8, 8, 4), 4), ((8, 8, 60), 40)])
def test_slabs_are_handed_out_as_soon_as_they_are_done(patch, deepest):
    image = volume(16, 12, 40)
    slabs = list(predict_slabs(image, lambda seen: seen, task_of(patch), batch_size=8))
    assert max(slab.shape[3] for slab in slabs) <= deepest
    np.testing.assert_allclose(np.concatenate(slabs, axis=3), image, atol=1e-5)


def test_a_network_sees_about_a_million_voxels_at_once():
    seen = []

    def predict(image):
        seen.append(len(image))
        return image

    for patch in ((16, 16), (512, 512), (1024, 1536)):
        predict_volume(np.zeros((1, *patch, 9), np.float32), predict, task_of(patch))
    assert seen == [8, 1, 4, 4, 1, *[1] * 9]


def test_one_window_is_kept_exactly():
    image = volume(8, 6, 5)
    found = predict_volume(image, lambda patches: patches, task_of((8, 8)))
    np.testing.assert_array_equal(found, image)


def test_windows_are_batched_and_reach_every_voxel_with_overlap():
    seen = []

    def predict(image):
        seen.append(tuple(image.shape))
        return torch.ones_like(image)

    found = predict_volume(volume(16, 8, 3), predict, task_of((8, 8)), batch_size=4)
    assert seen == [(4, 1, 8, 8), (4, 1, 8, 8), (1, 1, 8, 8)]
    np.testing.assert_allclose(found, 1, atol=1e-6)


def test_neighbouring_slices_are_channels_of_the_middle_one():
    image = np.broadcast_to(np.arange(4, dtype=np.float32), (1, 4, 4, 4))

    def predict(stack):
        assert stack.shape[1:] == (3, 4, 4)
        return stack

    found = predict_volume(image, predict, task_of((4, 4), 3), adjacent_slices=3)
    np.testing.assert_array_equal(found[:, 0, 0], [[0, 0, 1, 2], [0, 1, 2, 3], [1, 2, 3, 3]])


def test_gaussian_weights_favour_the_middle_of_a_window():
    numbers = iter(range(100))

    def predict(image):
        values = torch.tensor([float(next(numbers)) for _ in image])
        return values[:, None, None, None].expand(len(image), 1, *image.shape[2:])

    found = predict_volume(volume(12, 8, 1), predict, task_of((8, 8)))[0, :, 0, 0]
    assert (np.diff(found) >= 0).all()
    assert found[0] < 0.05
    assert found[-1] > 0.95


@pytest.mark.parametrize(("patch", "adjacent"), [((8, 8), 1), ((8, 8), 3), ((8, 8, 4), 1)])
def test_of_translated_stacks_every_slice_counts_once_with_its_own_channels(patch, adjacent):
    image = np.random.default_rng(0).normal(size=(2, 11, 8, 5)).astype(np.float32)
    # What a slice becomes as a neighbour must not show.
    factors = torch.tensor([1.0, 2.0] if adjacent == 1 else [50.0, 60, 1, 2, 70, 80])

    def translate(stack):
        return stack * factors.reshape(1, -1, *[1] * len(patch))

    task = task_of(patch, 2 * adjacent)
    found = translate_volume(image, translate, task, adjacent)
    expected = image * np.array([1, 2], np.float32).reshape(2, 1, 1, 1)
    np.testing.assert_allclose(found, expected, atol=1e-5)
