import base64
import io
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from uda_study.data.grid import Grid
from uda_study.report import qc_flags
from uda_study.report.qc_flags import Structure, find_flags
from uda_study.report.qc_page import PAGE, QcPage
from uda_study.training.predict import Segmented
from uda_study.types import Task

NAMES = ("background", "lung", "a <b>heart</b>")


def found(millilitres=100.0, components=1, confidence=0.9):
    return {"lung": Structure(millilitres, components, confidence)}


def reasons(*cases):
    return [[flag.reason for flag in flags] for flags in find_flags(cases)]


def test_an_empty_structure_is_flagged_and_nothing_else_of_it():
    assert reasons(found(0.0, 0, math.nan)) == [["empty"]]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (2.0, "large: 2 times the median volume"),
        (0.4, "small: 0.4 times the median volume"),
        (1.05, None),
        (0.95, None),
    ],
)
def test_a_volume_far_from_the_others_is_flagged(times, expected):
    others = [found(100 + n) for n in range(-4, 5)]
    assert reasons(found(100 * times), *others) == [[expected] if expected else [], *[[]] * 9]


def test_small_differences_from_equal_volumes_are_none():
    equal = [found(100.0)] * 9
    assert reasons(found(110.0), *equal)[0] == []
    assert reasons(found(130.0), *equal)[0] == ["large: 1.3 times the median volume"]


def test_volumes_of_few_cases_are_not_compared():
    few = [found(100.0)] * (qc_flags.ENOUGH - 2)
    assert reasons(found(900.0), *few) == [[]] * (qc_flags.ENOUGH - 1)
    assert reasons(found(900.0), *few, found(100.0))[0] != []
    # Empty ones tell nothing of the volume.
    assert reasons(found(900.0), *few, found(0.0, 0, math.nan))[0] == []


def test_volumes_that_differ_much_anyway_are_no_outliers():
    sizes = [1, 3, 9, 27, 81, 243, 729, 2187, 6561]
    assert reasons(*(found(float(size)) for size in sizes)) == [[]] * 9


def test_many_pieces_are_flagged_unless_all_have_many():
    assert reasons(found(components=10), found(components=11)) == [[], ["in 11 pieces"]]
    lesions = [found(components=30 + n) for n in range(9)]
    assert reasons(*lesions, found(components=120)) == [[]] * 9 + [["in 120 pieces"]]


def test_a_low_mean_probability_is_flagged():
    expected = [["unsure: mean probability 0.69"], []]
    assert reasons(found(confidence=0.69), found(confidence=0.71)) == expected


@given(st.lists(st.floats(0, 1e4), max_size=12))
def test_flags_do_not_depend_on_the_order(volumes):
    cases = [found(volume, int(volume > 0)) for volume in volumes]
    flagged = [bool(flags) for flags in find_flags(cases)]
    assert [bool(flags) for flags in find_flags(cases[::-1])] == flagged[::-1]


# The page


def segmented(tmp_path, name="scan", dims=3, labels=None, confidence=(0.9, 0.9, 0.8), shape=None):
    affine = np.diag([1.0, 1.0, 5.0, 1.0])
    shape = shape or (40, 30, 8)
    if labels is None:
        labels = np.zeros(shape, np.uint8)
        labels[5:20, 5:20, 2:6] = 1
        labels[25:30, 10:15, 3] = 2
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    task = Task(dims, 1, NAMES, (8,) * dims, (1.0,) * dims)
    grid = Grid.of(shape, affine, None, None)
    return Segmented(name, tmp_path / f"{name}.nii.gz", labels, image, grid, task, confidence)


def write(tmp_path, *cases):
    page = QcPage()
    for case in cases:
        page.add(case)
    return page.write(tmp_path / PAGE), (tmp_path / PAGE).read_text()


def pictures(text):
    encoded = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    return [Image.open(io.BytesIO(base64.b64decode(each))) for each in encoded]


def test_the_most_doubtful_come_first(tmp_path):
    one = np.zeros((40, 30, 8), np.uint8)
    one[25:30, 10:15, 3] = 2
    flagged, text = write(
        tmp_path,
        segmented(tmp_path, "fine"),
        segmented(tmp_path, "unsure", confidence=(0.9, 0.6, 0.6)),
        segmented(tmp_path, "less-fine", confidence=(0.9, 0.75, 0.8)),
        segmented(tmp_path, "empty", labels=one, confidence=(0.9, math.nan, 0.9)),
    )
    assert flagged == ["empty", "unsure"]
    assert re.findall(r"<h2>(.*?)</h2>", text) == ["empty", "unsure", "less-fine", "fine"]
    assert text.count("class=flagged") == 2
    assert "4 segmentations, 2 to look at" in text


def test_volumes_pieces_and_probabilities_stand_beside_each_picture(tmp_path):
    _, text = write(tmp_path, segmented(tmp_path))
    card = text.split("<section")[1]
    rows = re.findall(r"</i>(.*?)</td><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td></tr>", card)
    heart = "a &lt;b&gt;heart&lt;/b&gt;"
    # 15 x 15 x 4 and 5 x 5 voxels of 5 mm3.
    assert rows == [("lung", "4.5", "1", "0.90"), (heart, "0.125", "1", "0.80")]


def test_names_are_text_and_nothing_is_fetched(tmp_path):
    _, text = write(tmp_path, segmented(tmp_path, "<script>alert(1)</script>"))
    assert "<script" not in text
    assert "<b>" not in text
    assert "default-src 'none'" in text
    assert not re.search(r"(src|href)=\"(?!data:)|url\(|@import|https?:", text)


def test_no_path_of_this_machine_is_on_the_page(tmp_path):
    _, text = write(tmp_path, segmented(tmp_path))
    assert str(tmp_path) not in text
    assert [path.name for path in tmp_path.iterdir()] == [PAGE]


@pytest.mark.parametrize(("dims", "panels"), [(2, 1), (3, 3)])
def test_volumes_have_three_planes_and_slices_one(tmp_path, dims, panels):
    _, text = write(tmp_path, segmented(tmp_path, dims=dims))
    (picture,) = pictures(text)
    assert round(picture.width / 400) == panels
    assert ("class=wide" in text) == (dims == 3)


def test_pictures_of_large_images_are_small(tmp_path):
    labels = np.zeros((900, 1200, 1), np.uint8)
    labels[200:400, 300:700] = 1
    _, text = write(tmp_path, segmented(tmp_path, dims=2, labels=labels, shape=labels.shape))
    (picture,) = pictures(text)
    assert max(picture.size) <= 600
    assert len(text) < 600_000


def test_the_outline_is_drawn_where_the_structure_is(tmp_path):
    labels = np.zeros((40, 40, 4), np.uint8)
    labels[4:12, 4:12, 1] = 1  # towards the patient's left and back: right of the picture, below
    labels[30:36, 30:36, 2] = 1
    case = segmented(tmp_path, dims=2, labels=labels, shape=labels.shape)
    case.image[:] = 0
    _, text = write(tmp_path, case)
    (picture,) = pictures(text)
    colours = np.asarray(picture.convert("RGB")).astype(int)
    orange = (colours[..., 0] > 200) & (colours[..., 2] < 60)
    rows, columns = np.nonzero(orange)
    height, width = orange.shape
    assert 0.65 < columns.min() / width < columns.max() / width < 0.95
    assert 0.65 < rows.min() / height < rows.max() / height < 0.95


def test_the_order_of_a_volumes_axes_does_not_show(tmp_path):
    case = segmented(tmp_path)
    order = [2, 0, 1]
    affine = np.asarray(case.grid.native_affine)[:, [*order, 3]]
    labels = case.labels.transpose(order)
    turned = replace(case, labels=labels, grid=Grid.of(labels.shape, affine, None, None))
    assert write(tmp_path, turned) == write(tmp_path, case)


def test_the_page_of_the_same_segmentations_is_the_same(tmp_path):
    _, first = write(tmp_path, segmented(tmp_path))
    _, second = write(tmp_path, segmented(tmp_path))
    assert first == second
