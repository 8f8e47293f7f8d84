import numpy as np
import pytest
import torch

from uda_study.data.labels import LabelReader
from uda_study.data.sampler import Sampler, in_channels
from uda_study.errors import InputError, LabelsWithheld
from uda_study.types import Task


def task_of(patch, channels=1):
    return Task(len(patch), channels, ("background", "box"), patch, (1.0,) * len(patch))


@pytest.fixture
def packs(make_prepared):
    return make_prepared(3), make_prepared(2, domain="ct")


@pytest.fixture
def build(packs):
    def make(patch, sampling="uniform", *, adjacent=1, target_labels=False, seed=0, sides=packs):
        allowed = [
            case.case.id for side in (sides if target_labels else sides[:1]) for case in side
        ]
        return Sampler(
            task_of(patch, adjacent),
            *sides,
            LabelReader(allowed, "training"),
            target_labels,
            sampling,
            adjacent,
            seed,
        )

    return make


def equal(a, b):
    return all(
        torch.equal(getattr(a, name), getattr(b, name))
        for name in ("source_image", "source_label", "target_image")
    )


@pytest.mark.parametrize("patch", [(8, 8), (8, 8, 4)])
@pytest.mark.parametrize("sampling", ["uniform", "balanced"])
def test_batches_have_the_promised_shapes_and_types(build, patch, sampling):
    batch = build(patch, sampling).draw("adapt", 0, 4)
    assert batch.source_image.shape == batch.target_image.shape == (4, 1, *patch)
    assert batch.source_label.shape == (4, *patch)
    assert batch.source_image.dtype == batch.target_image.dtype == torch.float32
    assert batch.source_label.dtype == torch.int64


def test_target_labels_are_absent_and_unread_unless_asked_for(build, packs):
    with pytest.raises(LabelsWithheld):
        _ = build((8, 8)).draw("adapt", 0, 2).target_label
    labelled = build((8, 8), "balanced", target_labels=True).draw("adapt", 0, 8)
    assert labelled.target_label.shape == (8, 8, 8)
    assert labelled.target_label.max() == 1
    reader = LabelReader([case.case.id for case in packs[0]], "training")
    sampler = Sampler(task_of((8, 8)), *packs, reader, False, "balanced", 1, 0)
    for index in range(10):
        sampler.draw("adapt", index, 4)
    assert set(reader.counts) == {"mr0", "mr1", "mr2"}


@pytest.mark.parametrize("sampling", ["uniform", "balanced"])
def test_ranks_together_draw_what_one_process_draws(build, sampling):
    sampler = build((8, 8), sampling)
    whole = sampler.draw("adapt", 3, 6)
    for rank in range(3):
        part = sampler.draw("adapt", 3, 6, rank, 3)
        assert torch.equal(part.source_image, whole.source_image[rank::3])
        assert torch.equal(part.source_label, whole.source_label[rank::3])
        assert torch.equal(part.target_image, whole.target_image[rank::3])
    with pytest.raises(InputError, match="multiple of the 4 workers, got 6"):
        sampler.draw("adapt", 3, 6, 0, 4)


def test_draws_depend_on_seed_stage_and_index_alone(build):
    sampler = build((8, 8))
    for index in range(5):
        sampler.draw("source", index, 2)
    later = sampler.draw("adapt", 7, 4)
    assert equal(build((8, 8)).draw("adapt", 7, 4), later)
    assert not equal(build((8, 8), seed=1).draw("adapt", 7, 4), later)
    assert not equal(sampler.draw("adapt", 8, 4), later)
    assert not equal(sampler.draw("source", 7, 4), later)


def test_source_draws_do_not_depend_on_the_target(build, packs):
    alone = build((8, 8), sides=(packs[0], []))
    with_target = build((8, 8))
    assert torch.equal(
        alone.draw("source", 0, 4).source_image, with_target.draw("source", 0, 4).source_image
    )
    assert alone.draw("source", 0, 4).target_image.shape == (0, 1, 8, 8)


def test_upper_bound_draws_the_target_alone(build, packs):
    batch = build((8, 8), "balanced", target_labels=True, sides=([], packs[1])).draw("bound", 0, 4)
    assert batch.source_image.shape == (0, 1, 8, 8)
    assert batch.source_label.shape == (0, 8, 8)
    assert batch.target_label.shape == (4, 8, 8)


def test_label_and_image_are_cut_at_the_same_place(build, packs):
    case = packs[0][0]
    label = LabelReader([case.case.id], "a test").read(case)
    bright = case.image[0] * np.where(label > 0, 1, np.nan)
    batch = build((6, 6), "balanced", sides=([case], [])).draw("s", 0, 16)
    inside = batch.source_image[:, 0][batch.source_label == 1]
    assert inside.numel() > 0
    assert np.isin(inside.numpy(), bright[label > 0]).all()


def test_balanced_centres_half_of_the_source_on_structures(build):
    batch = build((1, 1, 1), "balanced").draw("s", 0, 400)
    assert 0.42 < batch.source_label.float().mean() < 0.58
    share = build((1, 1, 1), "uniform").draw("s", 0, 400).source_label.float().mean()
    assert share < 0.1


def test_only_slices_and_voxels_of_the_mask_are_drawn(packs, tmp_path, build):
    case = packs[0][0]
    mask = np.zeros(case.grid.shape, bool)
    mask[2:5, 3:6, 1] = True
    np.save(case.folder / "mask.npy", np.asfortranarray(mask))
    marked = np.broadcast_to(np.arange(6, dtype=np.float32), (1, 12, 14, 6)).copy()
    marked[0, ~mask.any(axis=2)] += 10
    np.save(case.folder / "image.npy", np.asfortranarray(marked))
    uniform = build((4, 4), sides=([], [case])).draw("s", 0, 50).target_image
    assert set(np.unique(uniform % 10)) == {1}
    balanced = build((1, 1), "balanced", sides=([], [case])).draw("s", 0, 50).target_image
    assert set(np.unique(balanced)) == {1}


def test_adjacent_slices_become_channels_and_repeat_at_the_ends(packs, build):
    case = packs[0][0]
    ramp = np.broadcast_to(np.arange(6, dtype=np.float32), (1, 12, 14, 6))
    np.save(case.folder / "image.npy", np.asfortranarray(ramp))
    images = build((4, 4), adjacent=3, sides=([], [case])).draw("s", 0, 60).target_image
    triples = {tuple(row) for row in images[:, :, 0, 0].tolist()}
    assert triples == {(0, 0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (4, 5, 5)}
    assert in_channels(case, 3) == 3


def test_small_images_are_padded_with_their_minimum_and_background(build, packs):
    batch = build((16, 16, 8), sides=(packs[0][:1], [])).draw("s", 0, 1)
    image, label = batch.source_image[0, 0], batch.source_label[0]
    inner = (slice(2, 14), slice(1, 15), slice(1, 7))
    np.testing.assert_array_equal(image[inner], packs[0][0].image[0])
    assert image[0, 0, 0] == packs[0][0].image.min()
    assert label[inner].sum() == label.sum() > 0


def test_a_task_with_other_channels_is_refused(packs):
    with pytest.raises(InputError, match="must give 2 input channels, got 1"):
        Sampler(task_of((8, 8), 2), *packs, LabelReader([], "x"), False, "uniform", 1, 0)
