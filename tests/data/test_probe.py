import numpy as np
import pytest
import torch

from uda_study.data.labels import LabelReader
from uda_study.data.probe import sample_labelled, sample_probe
from uda_study.types import Task


def task_of(patch):
    return Task(len(patch), 1, ("background", "box"), patch, (1.0,) * len(patch))


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


@pytest.mark.parametrize("patch", [(6, 6), (6, 6, 4), (20, 20)])
def test_classes_are_those_of_the_patches_of_the_probe(make_prepared, patch):
    cases = make_prepared(3)
    labels = LabelReader([case.case.id for case in cases], "a test")
    images, classes = sample_labelled(cases, labels, task_of(patch), 1, 7, seed=0)
    assert torch.equal(images, sample_probe(cases, task_of(patch), 1, 7, seed=0))
    assert classes.shape == (7, *patch)
    assert classes.dtype == torch.int64
    whole = {
        case.case.id: dict(zip(case.image.ravel(), labels.read(case).ravel(), strict=True))
        for case in cases
    }
    for image, label in zip(images[:, 0].numpy(), classes.numpy(), strict=True):
        of_voxel = next(of for of in whole.values() if of.keys() & set(image.ravel().tolist()))
        for value, found in zip(image.ravel().tolist(), label.ravel(), strict=True):
            assert found == of_voxel.get(value, 0) or found == 0
    assert classes.any()
