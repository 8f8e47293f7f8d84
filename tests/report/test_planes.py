import itertools

import numpy as np
import pytest

from uda_study.report.overlays import OverlayRow
from uda_study.report.planes import OPPOSITE, Convention, sides, upright, widest_slice
from uda_study.report.slice_view import View


def labels(*covered: int) -> np.ndarray:
    """Return a volume whose slices across the last axis hold so many voxels of structure 2."""
    volume = np.zeros((4, 5, len(covered)), np.uint8)
    for index, count in enumerate(covered):
        volume[..., index].flat[:count] = 2
    return volume


def test_the_slice_with_most_truth_is_shown() -> None:
    assert widest_slice(labels(0, 3, 7, 2), labels(9, 0, 0, 0)) == 2


def test_the_prediction_decides_without_truth() -> None:
    assert widest_slice(None, labels(0, 0, 1)) == 2
    assert widest_slice(labels(0, 0, 0), labels(0, 4, 1)) == 1


def test_the_middle_is_shown_of_nothing() -> None:
    assert widest_slice(None, labels(0, 0, 0, 0, 0)) == 2


def test_other_axes_can_be_cut() -> None:
    assert widest_slice(np.moveaxis(labels(1, 5), 2, 0), np.zeros((2, 4, 5), np.uint8), axis=0) == 1


# For each plane a slice in each orientation of its two axes; the voxel marked lies at the patient's
# sides that are given, so wherever the file puts it, it is to be shown in the same corner.
PLANES = [
    ("radiological", ("R", "A"), ("top", "left")),
    ("neurological", ("R", "A"), ("top", "right")),
    ("neurological", ("L", "P"), ("bottom", "left")),
    ("radiological", ("R", "S"), ("top", "left")),
    ("radiological", ("L", "I"), ("bottom", "right")),
    ("radiological", ("A", "S"), ("top", "left")),
    ("neurological", ("P", "I"), ("bottom", "right")),
]


@pytest.mark.parametrize(("convention", "marked", "corner"), PLANES)
def test_a_side_of_the_patient_is_shown_where_the_convention_puts_it(
    convention: Convention, marked: tuple[str, str], corner: tuple[str, str]
) -> None:
    row = {"top": 0, "bottom": -1}[corner[0]]
    column = {"left": 0, "right": -1}[corner[1]]
    directions = [(side, OPPOSITE[side]) for side in marked]
    orders = [directions, directions[::-1]]
    for axes in itertools.chain(*(itertools.product(first, second) for first, second in orders)):
        plane = np.zeros((3, 4), np.uint8)
        plane[tuple(-1 if letter in marked else 0 for letter in axes)] = 1
        shown = upright(plane, axes, convention)
        assert shown[row, column] == 1, axes
        left, top = sides(axes, convention)
        assert (left in marked) == (corner[1] == "left")
        assert (top in marked) == (corner[0] == "top")


def test_proportions_follow_the_spacing_and_not_the_voxels() -> None:
    assert View((1.0, 3.0), ("R", "A"), "radiological").proportion((10, 20)) == 6.0
    assert View((3.0, 1.0), ("A", "R"), "radiological").proportion((20, 10)) == 6.0


def test_a_row_of_volumes_becomes_a_row_of_slices() -> None:
    truth, image = labels(0, 3, 1), np.arange(60, dtype=np.float32).reshape(4, 5, 3)
    row = OverlayRow("a", image, labels(2, 0, 0), truth, spacing=(1, 2, 3), axes=("R", "A", "S"))
    cut = row.cut(1)
    assert cut.name == "a, slice 1"
    assert np.array_equal(cut.image, image[:, :, 1])
    assert cut.truth is not None
    assert cut.truth.sum() == 6
    assert cut.before is None
    assert (cut.spacing, cut.axes) == ((1, 2), ("R", "A"))
    assert row.cut(0, axis=1).axes == ("R", "S")
