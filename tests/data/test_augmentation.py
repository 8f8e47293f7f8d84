from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch.nn.functional import interpolate

from uda_study.data.augmentation import (
    KINDS,
    Affine,
    Augmentation,
    Blur,
    Brightness,
    Contrast,
    Gamma,
    LowResolution,
    Mirror,
    Noise,
    Preset,
    Transform,
    kind_name,
)
from uda_study.data.augmentation_draw import Augmenter, _draw_affine
from uda_study.data.labels import LabelReader
from uda_study.data.sampler import Sampler
from uda_study.method import SourceAugmentation
from uda_study.types import Task

EVERYTHING = (
    Affine(p_rotation=1, rotation=40, p_scaling=1, p_translation=1, translation=0.2),
    Noise(p=1), Blur(p=1, p_channel=1), Brightness(p=1), Contrast(p=1),
    LowResolution(p=1, p_channel=1), Gamma(p=1), Gamma(p=1, invert=True), Mirror(),
)  # fmt: skip


def task_of(patch, channels=1):
    return Task(len(patch), channels, ("background", "box"), patch, (1.0,) * len(patch))


def image_of(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def augmented(kinds, image, label=None, seed=0, channels=1, room=None):
    patch = image.shape[1:]
    label = np.zeros(patch, np.uint8) if label is None else label
    sample = Augmenter(kinds, len(patch), channels).sample
    rng = np.random.default_rng(seed)
    return sample(rng, patch, room or (0,) * len(patch), lambda _: (np.array(image), label))


@pytest.fixture
def build(make_prepared):
    sides = make_prepared(3), make_prepared(2, domain="ct")

    def make(patch, augmentation=(), adjacent=1, sampling="uniform"):
        reader = LabelReader([case.case.id for case in sides[0]], "training")
        task = task_of(patch, adjacent)
        return Sampler(task, *sides, reader, False, sampling, adjacent, 0, augmentation)

    return make


def test_the_nnunet_preset_has_the_published_values():
    affine, *others = Augmentation(preset="nnunet").resolved(task_of((64, 64)))
    assert (affine.p_rotation, affine.p_scaling, affine.isotropic) == (0.2, 0.2, True)
    assert tuple(1 / end for end in affine.scaling) == pytest.approx((1.4, 0.7))
    assert (affine.p_translation, affine.rotation) == (0, 180)
    assert others == [
        Noise(p=0.1, std=(0, 0.1)),
        Blur(p=0.2, p_channel=0.5, std=(0.5, 1)),
        Brightness(p=0.15, factor=(0.75, 1.25)),
        Contrast(p=0.15, factor=(0.75, 1.25)),
        LowResolution(p=0.25, p_channel=0.5, scale=(0.5, 1)),
        Gamma(p=0.1, exponent=(0.7, 1.5), invert=True),
        Gamma(p=0.3, exponent=(0.7, 1.5), invert=False),
    ]


@pytest.mark.parametrize(
    ("patch", "rotation", "in_plane"),
    [
        ((64, 64), 180, False),
        ((64, 40), 15, False),
        ((48, 48, 48), 30, False),
        ((48, 48, 16), 30, False),
        ((64, 48, 16), 180, True),
    ],
)
def test_the_nnunet_preset_depends_on_the_patch(patch, rotation, in_plane):
    affine, *others = Augmentation(preset="nnunet").resolved(task_of(patch))
    (coarse,) = (kind for kind in others if isinstance(kind, LowResolution))
    assert (affine.rotation, affine.in_plane, coarse.in_plane) == (rotation, in_plane, in_plane)


def test_mirroring_is_an_option():
    plain, mirrored = (
        Augmentation(preset=name).resolved(task_of((8, 8, 8)))
        for name in ("nnunet", "nnunet_mirror")
    )
    assert mirrored == (*plain, Mirror(p=0.5, axes=(0, 1, 2)))


def test_a_stage_may_ask_for_each_preset_or_for_the_study_s():
    assert get_args(SourceAugmentation) == ("study", *get_args(Preset))


def test_every_kind_can_be_written_in_a_study_file():
    members, discriminator = get_args(Transform)
    assert {kind.__origin__ for kind in get_args(members)} == set(KINDS)
    names = [kind_name(kind) for kind in KINDS]
    assert all(name in discriminator.custom_error_message for name in names)
    written = Augmentation.model_validate({"transforms": [{"type": name} for name in names]})
    assert written.transforms == tuple(kind() for kind in KINDS)


@pytest.mark.parametrize("patch", [(8, 8), (8, 8, 4)])
def test_ranks_together_draw_what_one_process_draws(build, patch):
    sampler = build(patch, EVERYTHING)
    whole = sampler.draw("adapt", 3, 6)
    for rank in range(3):
        part = build(patch, EVERYTHING).draw("adapt", 3, 6, rank, 3)
        assert torch.equal(part.source_image, whole.source_image[rank::3])
        assert torch.equal(part.source_label, whole.source_label[rank::3])
    assert not torch.equal(sampler.draw("adapt", 4, 6).source_image, whole.source_image)


@pytest.mark.parametrize("patch", [(8, 8), (8, 8, 4)])
def test_no_global_generator_is_touched(build, patch):
    sampler = build(patch, EVERYTHING)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    sampler.draw("adapt", 0, 4)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])


def test_threads_that_read_at_once_draw_the_same(build):
    sampler = build((8, 8), EVERYTHING)
    alone = [sampler.draw("adapt", index, 4).source_image for index in range(12)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: sampler.draw("adapt", i, 4).source_image, range(12)))
    assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))


def test_the_target_is_never_augmented(build):
    plain, changed = (build((8, 8), kinds).draw("s", 0, 8) for kinds in ((), EVERYTHING))
    assert torch.equal(plain.target_image, changed.target_image)
    assert not torch.equal(plain.source_image, changed.source_image)


@pytest.mark.parametrize("sampling", ["uniform", "balanced"])
@pytest.mark.parametrize("patch", [(8, 8), (8, 8, 4)])
def test_where_patches_lie_does_not_depend_on_the_augmentation(build, patch, sampling):
    never = (Affine(p_rotation=0, p_scaling=0), Noise(p=0), Mirror(p=0))
    plain = build(patch, (), sampling=sampling).draw("s", 0, 8)
    same = build(patch, never, sampling=sampling).draw("s", 0, 8)
    assert torch.equal(plain.source_image, same.source_image)
    assert torch.equal(plain.source_label, same.source_label)


@pytest.mark.parametrize("shape", [(48, 40), (24, 20, 16)])
@pytest.mark.parametrize(
    "kind",
    [
        Affine(p_rotation=1, rotation=40, p_scaling=0),
        Affine(p_rotation=0, p_scaling=1, scaling=(1.2, 1.4)),
        Affine(p_rotation=0, p_scaling=1, isotropic=False),
        Affine(p_rotation=0, p_scaling=0, p_translation=1, translation=0.2),
        Mirror(p=1),
    ],
    ids=["rotation", "scaling", "stretching", "translation", "mirror"],
)
def test_image_and_label_move_together(shape, kind):
    label = np.zeros(shape, np.uint8)
    label[tuple(slice(side // 5, side // 2) for side in shape)] = 2
    image, moved = augmented((kind,), label[None].astype(np.float32), label, seed=3)
    assert set(np.unique(moved)) == {0, 2}
    assert not np.array_equal(moved, label)
    assert np.mean((image[0] > 1) == (moved == 2)) > 0.995


def test_the_reciprocal_of_the_scaling_is_drawn_uniformly():
    affine = Augmentation(preset="nnunet").resolved(task_of((8, 8, 8)))[0]
    always = affine.model_copy(update={"p_scaling": 1})
    rng = np.random.default_rng(0)
    drawn = 1 / np.array([_draw_affine(always, rng, (8, 8, 8)).scales for _ in range(500)])
    assert (drawn == drawn[:, :1]).all()
    assert drawn.min() == pytest.approx(0.7, abs=0.01)
    assert drawn.max() == pytest.approx(1.4, abs=0.01)
    assert drawn.mean() == pytest.approx(1.05, abs=0.02)


def test_in_plane_leaves_the_third_axis_alone():
    image = np.broadcast_to(np.arange(8, dtype=np.float32), (1, 16, 16, 8)).copy()
    kinds = (
        Affine(p_rotation=1, p_scaling=1, scaling=(1.1, 1.4), in_plane=True),
        LowResolution(p=1, p_channel=1, in_plane=True),
    )
    for seed in range(5):
        changed, _ = augmented(kinds, image, seed=seed)
        np.testing.assert_allclose(changed[:, 5:11, 5:11], image[:, 5:11, 5:11], atol=1e-5)


def test_a_turned_patch_shows_what_lies_around_it(make_prepared, build):
    kinds = (Affine(p_rotation=1, rotation=180, p_scaling=1, scaling=(0.7, 0.7)),)
    whole = image_of((1, 40, 40))

    def read(margin):
        spans = [slice(15 - wide, 25 + wide) for wide in margin]
        return np.array(whole[:, *spans]), np.zeros([s.stop - s.start for s in spans], np.uint8)

    augmenter = Augmenter(kinds, 2, 1)
    for seed in range(5):
        patch, _ = augmenter.sample(np.random.default_rng(seed), (10, 10), (15, 15), read)
        around, _ = augmented(kinds, whole, seed=seed)
        np.testing.assert_allclose(patch, around[:, 15:25, 15:25], atol=1e-4)
        cropped, _ = augmented(kinds, whole[:, 15:25, 15:25], seed=seed)
        assert np.abs(cropped - patch).max() > 0.1


def test_small_volumes_are_enlarged_by_padding(build):
    batch = build((16, 16, 8), EVERYTHING[:1]).draw("s", 0, 6)
    assert torch.isfinite(batch.source_image).all()
    assert set(batch.source_label.unique().tolist()) == {0, 1}


@pytest.mark.parametrize("exponent", [0.7, 1.5])
@pytest.mark.parametrize("invert", [False, True])
def test_gamma_is_a_power_that_keeps_mean_and_deviation(exponent, invert):
    image = image_of((1, 16, 16))
    kind = Gamma(p=1, exponent=(exponent, exponent), invert=invert)
    changed, _ = augmented((kind,), image)
    sign = -1 if invert else 1
    x = sign * image
    power = ((x - x.min()) / (x.max() - x.min())) ** exponent
    expected = sign * ((power - power.mean()) / power.std() * x.std() + x.mean())
    np.testing.assert_allclose(changed, expected, rtol=0, atol=1e-4)
    assert changed.mean() == pytest.approx(image.mean(), abs=1e-5)
    assert changed.std() == pytest.approx(image.std(), rel=1e-4)
    assert (np.diff(changed.ravel()[np.argsort(image.ravel())]) >= -1e-6).all()


def test_a_patch_without_contrast_stays_as_it_is():
    image = np.full((1, 8, 8), -2, np.float32)
    kinds = (Affine(p_rotation=1, p_scaling=1), Contrast(p=1), Gamma(p=1), Gamma(p=1, invert=True))
    np.testing.assert_allclose(augmented(kinds, image)[0], image, atol=1e-6)


def test_noise_has_the_drawn_deviation_and_is_the_same_in_all_channels():
    image = np.zeros((2, 100, 100), np.float32)
    noise, _ = augmented((Noise(p=1, std=(0.3, 0.3)),), image, channels=2)
    assert noise.std() == pytest.approx(0.3, rel=0.05)
    np.testing.assert_array_equal(noise[0], noise[1])


def test_blur_is_a_gaussian_filter_in_voxels():
    image = image_of((1, 12, 12, 12))
    changed, _ = augmented((Blur(p=1, p_channel=1, std=(0.8, 0.8)),), image)
    np.testing.assert_allclose(changed[0], gaussian_filter(image[0], 0.8), atol=1e-5)


def test_brightness_multiplies_and_contrast_spreads_within_the_range():
    image = image_of((1, 16, 16))
    bright, _ = augmented((Brightness(p=1, factor=(1.2, 1.2)),), image)
    np.testing.assert_allclose(bright, image * np.float32(1.2), rtol=1e-6)
    spread, _ = augmented((Contrast(p=1, factor=(1.2, 1.2)),), image)
    expected = ((image - image.mean()) * 1.2 + image.mean()).clip(image.min(), image.max())
    np.testing.assert_allclose(spread, expected, atol=1e-5)


def test_low_resolution_takes_the_nearest_voxel_and_interpolates_linearly():
    image = image_of((1, 16, 12))
    changed, _ = augmented((LowResolution(p=1, p_channel=1, scale=(0.5, 0.5)),), image)
    small = interpolate(torch.from_numpy(image)[None], (8, 6), mode="nearest-exact")
    expected = interpolate(small, (16, 12), mode="bilinear")[0].numpy()
    np.testing.assert_allclose(changed, expected, atol=1e-6)


def test_factors_are_below_one_as_often_as_above():
    image = np.ones((1, 2, 2), np.float32)
    kind = Brightness(p=1, factor=(0.7, 1.5))
    drawn = np.array([augmented((kind,), image, seed=n)[0][0, 0, 0] for n in range(400)])
    assert 0.43 < np.mean(drawn < 1) < 0.57
    assert drawn.min() >= 0.7
    assert drawn.max() <= 1.5
    for ends in [(1.2, 1.5), (0.5, 0.8)]:
        one = augmented((Brightness(p=1, factor=ends),), image)[0][0, 0, 0]
        assert ends[0] <= one <= ends[1]


@pytest.mark.parametrize(
    ("kind", "share"),
    [(Noise(), 0.1), (Blur(), 0.1), (Brightness(), 0.15), (LowResolution(), 0.125), (Gamma(), 0.3)],
    ids=lambda value: getattr(value, "type", ""),
)
def test_transforms_happen_as_often_as_they_say(kind, share):
    image = image_of((1, 8, 8))
    changed = [not np.array_equal(augmented((kind,), image, seed=n)[0], image) for n in range(800)]
    assert np.mean(changed) == pytest.approx(share, abs=0.045)


def test_slices_of_a_channel_share_its_numbers_and_channels_have_their_own():
    image = np.tile(image_of((2, 8, 8)), (3, 1, 1))
    kinds = (Brightness(p=1), Gamma(p=1), Blur(p=1, p_channel=1))
    changed, _ = augmented(kinds, image, channels=2)
    np.testing.assert_allclose(changed[0::2], changed[[0, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(changed[1::2], changed[[1, 1, 1]], atol=1e-6)
    same = np.tile(image_of((1, 8, 8)), (2, 1, 1))
    changed, _ = augmented((Brightness(p=1),), same, channels=2)
    assert not np.allclose(changed[0], changed[1])


def test_adjacent_slices_are_moved_together(build):
    batch = build((12, 14), EVERYTHING[:1], adjacent=3).draw("s", 0, 8)
    assert batch.source_image.shape == (8, 3, 12, 14)
    assert torch.isfinite(batch.source_image).all()
