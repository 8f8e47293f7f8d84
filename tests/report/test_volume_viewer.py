import base64
import gzip
import json
import re

import nibabel as nib
import numpy as np
import pytest

from uda_study.report.volume_viewer import ViewedCase, fitting, scripts, viewed_case, viewer

AFFINE = np.array([[-2.0, 0, 0, 30], [0, 2, 0, -40], [0, 0, 5, 10], [0, 0, 0, 1]])


def opened(text: str) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(text)))


def noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def box(shape: tuple[int, ...], start: int, stop: int) -> np.ndarray:
    label = np.zeros(shape, np.uint8)
    label[start:stop, start:stop, start:stop] = 1
    return label


def test_a_small_case_is_shown_whole():
    image, truth = noise((12, 10, 8)), box((12, 10, 8), 2, 5)
    case = viewed_case("a", image, truth, truth * 2, AFFINE)
    shown = opened(case.image)
    assert np.asarray(shown.dataobj).dtype == np.uint8
    assert np.allclose(shown.affine, AFFINE)
    assert np.array_equal(np.asarray(opened(case.truth).dataobj), truth)
    assert np.array_equal(np.asarray(opened(case.prediction).dataobj), truth * 2)
    assert np.corrcoef(np.asarray(shown.dataobj).ravel(), image.ravel())[0, 1] > 0.99
    assert (case.about, case.flat) == ("a", None)


def test_the_slices_go_through_the_middle_of_the_truth():
    truth = box((12, 10, 8), 2, 5)
    case = viewed_case("a", noise(truth.shape), truth, np.zeros_like(truth), AFFINE)
    assert case.focus == tuple(nib.affines.apply_affine(AFFINE, [3, 3, 3]))
    missed = viewed_case("a", noise(truth.shape), np.zeros_like(truth), truth, AFFINE)
    assert missed.focus == case.focus


@pytest.mark.parametrize("most", [60_000, 20_000, 3_000])
def test_a_large_case_is_cut_and_thinned_until_it_fits_and_stays_in_place(most: int):
    shape = (48, 48, 24)
    truth = box(shape, 20, 23)
    case = viewed_case("a", noise(shape), truth, truth, AFFINE, most)
    assert case.size <= most
    shown, label = opened(case.image), opened(case.truth)
    assert shown.shape < shape
    assert label.shape == shown.shape
    marked = np.argwhere(np.asarray(label.dataobj))
    inside = nib.affines.apply_affine(label.affine, marked)
    before = nib.affines.apply_affine(AFFINE, np.argwhere(truth))
    # Every voxel that is left lies where a voxel lay before.
    assert {tuple(point) for point in inside.round(6)} <= {tuple(p) for p in before.round(6)}
    assert "cut to 20 mm around what is marked" in case.about
    assert f"of {' x '.join(map(str, shape))} voxels" in case.about


def test_slices_are_thinned_last():
    shape = (40, 40, 6)
    case = viewed_case("a", noise(shape), box(shape, 0, 40), box(shape, 0, 40), AFFINE, 6_000)
    assert opened(case.image).shape[2] == 6
    assert opened(case.image).shape[0] < 40


@pytest.mark.parametrize(("axis", "shape"), [(0, (1, 9, 8)), (1, (9, 1, 8)), (2, (9, 8, 1))])
def test_an_image_of_one_slice_is_seen_from_the_front(axis: int, shape: tuple[int, ...]):
    label = np.ones(shape, np.uint8)
    assert viewed_case("a", noise(shape), label, label, np.eye(4)).flat == axis
    # What counts is how the axis lies in the patient, not its number.
    turned = np.eye(4)[:, [1, 0, 2, 3]]
    assert viewed_case("a", noise(shape), label, label, turned).flat == (1, 0, 2)[axis]


def test_a_page_takes_cases_until_it_is_full():
    one = viewed_case("a", noise((6, 6, 6)), *[np.ones((6, 6, 6), np.uint8)] * 2, np.eye(4))
    assert fitting([one] * 3, one.size * 2) == (one, one)
    assert fitting([one], one.size - 1) == ()
    assert fitting([]) == ()


def test_names_cannot_end_the_script_that_holds_them():
    label = np.ones((3, 3, 3), np.uint8)
    name = '</script><b>"&'
    case = viewed_case(name, noise((3, 3, 3)), label, label, np.eye(4))
    html = viewer([case], [name, "other"])
    held = re.search(r'<script type="application/json"[^>]*>(.*)</script>$', html)
    assert held is not None
    document = json.loads(held[1])
    assert document["cases"][0]["name"] == name
    assert document["structures"] == [name, "other"]
    assert set(document["cases"][0]) == set(ViewedCase.__dataclass_fields__)
    assert html.count("</script>") == 1


def test_of_one_structure_the_layers_differ_in_colour_of_several_the_structures():
    label = np.ones((3, 3, 3), np.uint8)
    case = viewed_case("a", noise((3, 3, 3)), label, label, np.eye(4))

    def colours(html: str) -> dict[str, list[str]]:
        return json.loads(html.partition('id="viewer-cases">')[2].removesuffix("</script>"))[
            "colours"
        ]

    single, several = (colours(viewer([case], names)) for names in (["x"], ["x", "y", "z"]))
    assert single["truth"] != single["prediction"]
    assert several["truth"] == several["prediction"]
    assert len(set(several["truth"])) == 3


def test_the_scripts_can_stand_inside_a_page():
    for script in scripts():
        assert "</script" not in script.lower()
        assert "<!--" not in script
