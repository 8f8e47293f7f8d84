import numpy as np
import pytest

from uda_study.simulation.anatomy import (
    LABELS,
    RIGHT,
    TISSUES,
    Anatomy,
    Grid,
    Variation,
    draw_subject,
)

GRID = Grid((64, 64, 8), (3.5, 3.5, 7.0), (0.0, -17.0, 14.0))
STILL = Variation(scale=0, rotation=0, shift=0, displacement=0, ventricles=0, lesions=0)


def subject(seed: int, variation: Variation | None = None) -> Anatomy:
    return draw_subject(GRID, variation or Variation(), np.random.default_rng(seed))


def volume(anatomy: Anatomy, *names: str) -> float:
    values = [LABELS[name] + side for name in names for side in (0, RIGHT)]
    return float(np.isin(anatomy.labels, values).sum() * np.prod(anatomy.grid.spacing) / 1000)


def test_affine_maps_the_middle_of_the_grid_to_its_centre():
    middle = GRID.affine @ [31.5, 31.5, 3.5, 1]
    np.testing.assert_allclose(middle, [0, -17, 14, 1])


def test_refined_grid_covers_the_same_volume_in_smaller_voxels():
    fine = GRID.refined()
    assert max(fine.spacing) <= 2.5
    np.testing.assert_allclose(
        np.multiply(fine.shape, fine.spacing), np.multiply(GRID.shape, GRID.spacing)
    )
    line = fine.axes[0].reshape(64, 2).mean(axis=1)
    np.testing.assert_allclose(line, GRID.axes[0])


def test_fractions_are_shares_of_the_volume():
    anatomy = subject(0)
    assert anatomy.fractions.min() >= 0
    np.testing.assert_allclose(anatomy.fractions.sum(axis=0), 1, atol=1e-5)


def test_same_generator_gives_the_same_subject_and_another_one_does_not():
    first, again, other = subject(3), subject(3), subject(4)
    np.testing.assert_array_equal(first.fractions, again.fractions)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.labels != other.labels).mean() > 0.05


def test_head_lies_in_layers_from_the_air_to_the_brain():
    anatomy = subject(1, STILL)
    row = anatomy.labels[:, 32, 4] % RIGHT
    order = [int(value) for value, before in zip(row[1:], row[:-1], strict=True) if value != before]
    assert order[:2] == [LABELS["scalp"], LABELS["skull"]]
    assert order[-3:-1] == [LABELS["skull"], LABELS["scalp"]]
    assert order[-1] == 0


def test_sides_of_the_undeformed_head_are_equal_within_tenths():
    labels = subject(1, STILL).labels
    left = np.isin(labels, [LABELS["white"], LABELS["grey"]]).sum()
    right = np.isin(labels, [LABELS["white"] + RIGHT, LABELS["grey"] + RIGHT]).sum()
    assert left == pytest.approx(right, rel=0.1)
    x = np.broadcast_to(GRID.axes[0][:, None, None], labels.shape)
    assert x[labels > RIGHT].min() > -GRID.spacing[0]


def test_wider_ventricles_hold_more_fluid():
    wide = Variation(scale=0, rotation=0, shift=0, displacement=0, ventricles=2.5, lesions=0)
    narrow = [volume(subject(seed, STILL), "ventricles") for seed in range(2)]
    widened = [volume(subject(seed, wide), "ventricles") for seed in range(2)]
    assert np.mean(widened) > 1.2 * np.mean(narrow)


def test_lesions_lie_in_the_white_matter_beside_the_ventricles():
    many = Variation(scale=0, rotation=0, shift=0, displacement=0, ventricles=0, lesions=30)
    lesion = TISSUES.index("lesion")
    healthy, ill = subject(2, STILL), subject(2, many)
    assert ill.fractions[lesion].sum() > healthy.fractions[lesion].sum() + 20
    # The white matter that disappears is the lesion that appears.
    white = TISSUES.index("white")
    total = ill.fractions[lesion] + ill.fractions[white]
    before = healthy.fractions[lesion] + healthy.fractions[white]
    np.testing.assert_allclose(total, before, atol=1e-4)


def test_larger_acquired_voxels_blur():
    fine = Grid((32, 32, 8), (2.0, 2.0, 2.0), (0.0, -17.0, 14.0))
    anatomy = draw_subject(fine, STILL, np.random.default_rng(0))
    values = {tissue: float(number) for number, tissue in enumerate(TISSUES)}
    sharp = anatomy.mix(values, (1.0, 1.0, 1.0))
    np.testing.assert_allclose(sharp, np.tensordot(np.arange(7.0), anatomy.fractions, 1), atol=1e-4)
    blurred = anatomy.mix(values, (1.0, 1.0, 6.0))
    assert np.abs(np.diff(blurred, axis=2)).mean() < 0.8 * np.abs(np.diff(sharp, axis=2)).mean()
