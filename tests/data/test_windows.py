import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from uda_study.data.windows import predict_volume, sample_probe, translate_volume
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


@pytest.mark.parametrize("patch", [(6, 6), (6, 6, 4)])
def test_probe_is_fixed_and_shared_out_evenly(make_prepared, patch):
    cases = make_prepared(3)
    probe = sample_probe(cases, task_of(patch), 1, 7, seed=0)
    assert probe.shape == (7, 1, *patch)
    assert probe.dtype == torch.float32
    assert torch.equal(probe, sample_probe(cases, task_of(patch), 1, 7, seed=0))
    owners = [
        next(n for n, case in enumerate(cases) if np.isin(patch.numpy(), case.image).all())
        for patch in probe
    ]
    assert sorted(np.bincount(owners, minlength=3)) == [2, 2, 3]
    assert len(torch.unique(probe.reshape(7, -1), dim=0)) == 7


def test_probe_is_centred_on_the_mask(make_prepared):
    (case,) = make_prepared(1)
    mask = np.zeros(case.grid.shape, bool)
    mask[6:9, 7:12, 2] = True
    np.save(case.folder / "mask.npy", np.asfortranarray(mask))
    probe = sample_probe([case], task_of((3, 5)), 3, 2, seed=0)
    assert probe.shape == (2, 3, 3, 5)
    np.testing.assert_array_equal(probe[0, 1], case.image[0, 6:9, 7:12, 2])


def test_probe_may_be_smaller_than_the_pack(make_prepared):
    assert sample_probe(make_prepared(3), task_of((4, 4)), 1, 2, seed=0).shape == (2, 1, 4, 4)
