import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from uda_study.data.grid import Grid
from uda_study.data.postprocess import (
    PostprocessSpec,
    count_components,
    postprocess,
    slice_axis,
)
from uda_study.types import Task

NAMES = ("background", "lung", "heart")
BOTH = PostprocessSpec(largest_component=True, fill_holes=True)
LARGEST = PostprocessSpec(largest_component=True)
HOLES = PostprocessSpec(fill_holes=True)


def done(labels, spec, axis=None):
    result = np.array(labels, np.uint8)
    postprocess(result, spec, NAMES, axis)
    return result


def picture(*rows):
    """A volume of one slice from digits."""
    return np.array([[int(digit) for digit in row] for row in rows], np.uint8)[:, :, None]


@st.composite
def label_maps(draw):
    """Small volumes that are full of holes, islands and contacts."""
    shape = draw(st.tuples(*[st.integers(1, 6)] * 3))
    seed, share = draw(st.integers(0, 10**6)), draw(st.floats(0.2, 0.9))
    rng = np.random.default_rng(seed)
    labels = (rng.random(shape) < share) * rng.integers(1, 3, shape)
    return labels.astype(np.uint8)


SPECS = st.builds(
    PostprocessSpec,
    largest_component=st.sampled_from([True, False, ("lung",), ("heart",)]),
    fill_holes=st.sampled_from([True, False, ("lung",), ("heart",)]),
)
AXES = st.sampled_from([None, 0, 1, 2])


@given(label_maps(), SPECS, AXES)
def test_doing_it_twice_changes_nothing(labels, spec, axis):
    once = done(labels, spec, axis)
    assert np.array_equal(done(once, spec, axis), once)


@given(label_maps(), AXES)
def test_holes_are_filled_from_background_alone_inside_the_hull(labels, axis):
    filled = done(labels, HOLES, axis)
    assert np.array_equal(filled[labels > 0], labels[labels > 0])
    for k in (1, 2):
        assert not ((filled == k) & ~hull(labels == k, axis)).any()


@given(label_maps(), AXES)
def test_a_single_structure_fills_exactly_its_hull(labels, axis):
    alone = (labels == 1).astype(np.uint8)
    assert np.array_equal(done(alone, HOLES, axis) == 1, hull(alone == 1, axis))


def hull(inside, axis):
    """A structure with its holes filled, by scipy, slice by slice where an axis is given."""
    if axis is None:
        return ndimage.binary_fill_holes(inside)
    slices = [ndimage.binary_fill_holes(part) for part in np.moveaxis(inside, axis, 0)]
    return np.moveaxis(np.array(slices), 0, axis)


@given(label_maps())
def test_what_stays_are_whole_components_of_the_largest_size(labels):
    kept = done(labels, LARGEST)
    assert np.isin(kept, [0, 1, 2]).all()
    for k in (1, 2):
        parts, _ = ndimage.label(labels == k, np.ones((3, 3, 3)))
        sizes = np.bincount(parts.ravel())
        largest = [n for n in range(1, len(sizes)) if sizes[n] == sizes[1:].max()]
        assert np.array_equal(kept == k, np.isin(parts, largest))


@given(label_maps(), SPECS, AXES, st.permutations(range(3)), st.sets(st.integers(0, 2)))
def test_the_orientation_of_a_volume_does_not_matter(labels, spec, axis, order, flips):
    turned = np.flip(labels.transpose(order), tuple(flips))
    across = None if axis is None else order.index(axis)
    expected = np.flip(done(labels, spec, axis).transpose(order), tuple(flips))
    assert np.array_equal(done(turned, spec, across), expected)


@given(label_maps(), SPECS, AXES)
def test_what_is_not_named_keeps_its_voxels(labels, spec, axis):
    result = done(labels, spec, axis)
    for k, name in enumerate(NAMES[1:], 1):
        named = [spec.largest_component, spec.fill_holes]
        if all(not names if isinstance(names, bool) else name not in names for names in named):
            assert np.array_equal(result == k, labels == k)


def test_corners_connect_a_structure_but_not_a_hole():
    assert count_components(picture("100", "010", "001"), 1) == 1
    open_at_a_corner = picture("01110", "11011", "01110", "00000")
    assert done(open_at_a_corner, HOLES)[1, 2, 0] == 0  # a volume of one slice: all is edge
    assert done(open_at_a_corner, HOLES, axis=2)[1, 2, 0] == 1


def test_the_largest_component_is_that_of_the_volume_not_of_its_slices():
    labels = np.zeros((9, 3, 2), np.uint8)
    labels[:4, :, 0] = 1
    labels[6:, :, 1] = 1
    kept = done(labels, LARGEST)
    assert (kept[:, :, 0] == labels[:, :, 0]).all()
    assert not kept[:, :, 1].any()


def test_an_island_in_a_hole_goes_and_then_the_hole_is_filled():
    labels = picture("1111111", "1000001", "1011001", "1000001", "1111111")
    labels[2, 3, 0] = 2
    expected = np.ones_like(labels)
    expected[2, 3, 0] = 2
    assert np.array_equal(done(labels, BOTH, axis=2), expected)


def test_a_tunnel_is_a_hole_in_each_slice_but_not_in_the_volume():
    labels = np.ones((5, 5, 4), np.uint8)
    labels[2, 2] = 0
    assert np.array_equal(done(labels, HOLES), labels)
    assert done(labels, HOLES, axis=2).all()
    assert np.array_equal(done(labels, HOLES, axis=0), labels)


def test_a_bay_at_the_images_edge_is_no_hole():
    labels = picture("11011", "11011", "11111")
    assert np.array_equal(done(labels, HOLES, axis=2), labels)


def test_a_gap_between_two_structures_goes_to_the_one_around_it():
    labels = picture("11111", "10001", "10201", "10001", "11111")
    found = done(labels, HOLES, axis=2)
    assert found[2, 2, 0] == 2
    assert (found[labels == 0] == 1).all()


def test_a_bubble_within_another_structure_is_not_taken_from_afar():
    labels = picture("1111111", "1222221", "1202021", "1222221", "1111111")
    only_lung = PostprocessSpec(fill_holes=("lung",))
    assert np.array_equal(done(labels, only_lung, axis=2), labels)
    assert (done(labels, HOLES, axis=2)[labels == 0] == 2).all()


def test_equally_large_components_all_stay():
    labels = picture("11011")
    assert np.array_equal(done(labels, LARGEST), labels)


def test_nothing_is_done_unless_it_is_asked_for():
    labels = picture("11101", "10100", "11101")
    assert np.array_equal(done(labels, PostprocessSpec(), axis=2), labels)
    assert PostprocessSpec() == PostprocessSpec(largest_component=False, fill_holes=False)


@pytest.mark.parametrize(("slices", "native"), [("axial", 0), ("coronal", 2), ("sagittal", 1)])
def test_slices_lie_across_the_native_axis_that_networks_see(slices, native):
    turned = np.array([[0, 3.0, 0, 0], [0, 0, 1.0, 0], [-2.0, 0, 0, 0], [0, 0, 0, 1]])
    grid = Grid.of((4, 5, 6), turned, None, None, slices)
    plane = Task(2, 1, NAMES, (4, 4), (1.0, 1.0))
    assert slice_axis(grid, plane) == native
    assert slice_axis(grid, Task(3, 1, NAMES, (4, 4, 4), (1.0, 1.0, 1.0))) is None
