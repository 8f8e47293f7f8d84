"""The page that compares two rows: what it says, what it draws, and that it loads nothing."""

import base64
import io
import json
import re
from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from uda_study.errors import InputError
from uda_study.report.compare_page import Overlays, compare_page
from uda_study.report.pair_overlays import PairOverlay, Volumes, pair_overlays
from uda_study.report.pair_plot import pair_figure
from uda_study.study.case_pairs import Pairing, pair
from uda_study.study.leaderboard import leaderboard
from uda_study.study.row_names import find_pair, sides

SUBJECTS = ("s-a", "s-b", "s-<i>", "s-d", "s-e", "s-f", "s-g")
NAMES = ("background", "heart", "lung")
AXIAL = np.diag([-1.0, -1.0, 5.0, 1.0])


def paired(lead: float = 0.1) -> Pairing:
    """Return two rows of one study; the first leads in all subjects but the first."""
    runs, cases = [], []
    for cell, lift in (("g3", lead), ("g5", 0.0)):
        for seed in (0, 1):
            key = f"{cell}{seed}"
            runs.append(
                {
                    "study": "toy-1", "key": key, "cell": f"depth={cell} direction=mr->ct",
                    "kind": "confirm", "number": 0, "method": "dam", "dataset": "phantom",
                    "direction": "mr->ct", "fold": 0, "seed": seed, "supervision": "images",
                    "protocol": "strict", "selection": "blind/rank_avg", "seeds": 2,
                    "status": "complete", "factors": json.dumps({"depth": cell}), "params": "{}",
                    "cost/seconds": 1.0, "blind/score": 0.5,
                }
            )  # fmt: skip
            for place, subject in enumerate(SUBJECTS):
                value = 0.5 + 0.02 * place + (lift if place else -lift) + 0.01 * seed
                for structure in NAMES[1:]:
                    row = {
                        "key": key, "case": f"{subject}1", "subject": subject, "phase": "after",
                        "role": "target_test", "structure": structure,
                    }  # fmt: skip
                    cases.append({**row, "metric": "dice", "value": value})
                    cases.append({**row, "metric": "hd95", "value": 10 - value})
    runs, cases = pd.DataFrame(runs), pd.DataFrame(cases)
    rows = sides(leaderboard(runs, cases), runs)
    return pair(*find_pair(rows, rows, "g3", "g5"), cases)


@pytest.fixture(scope="module")
def pairing() -> Pairing:
    return paired()


@pytest.fixture(scope="module")
def page(pairing) -> str:
    return compare_page(pairing, Overlays(missing="the <b>models</b> are gone."))


@pytest.fixture(scope="module")
def page_with_images(pairing) -> str:
    return compare_page(pairing, Overlays((overlay(),), NAMES))


def overlay(**given) -> PairOverlay:
    truth = np.zeros((20, 16), np.uint8)
    truth[4:12, 4:12] = 1
    values = {
        "name": "s-a1, slice 2", "image": truth.astype(np.float32), "truth": truth,
        "first": truth, "second": np.zeros_like(truth), "dice": (0.91, 0.12),
        "spacing": (1.0, 1.0), "axes": ("L", "P"),
    }  # fmt: skip
    return PairOverlay(**{**values, **given})


def opened(picture) -> Image.Image:
    return Image.open(io.BytesIO(picture.png)).convert("RGB")


def pixels(picture, colour: str) -> np.ndarray:
    """Return where a picture has a colour, (rows, columns)."""
    wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    shown = np.asarray(opened(picture)).astype(int)
    return np.argwhere(np.abs(shown - wanted).max(axis=2) < 12)


def tinted(picture) -> tuple[int, int]:
    """Return how many pixels between A and B, in the middle of their plot, are blue and orange."""
    shown = np.asarray(opened(picture)).astype(int)
    height, width = shown.shape[:2]
    middle = shown[height // 4 : 3 * height // 4, 3 * width // 10 : 4 * width // 10]
    redder = middle[..., 0] - middle[..., 2]
    return int((redder < -60).sum()), int((redder > 60).sum())


def test_the_page_has_verdict_metrics_structures_and_every_case(page):
    assert "A and B are not distinguishable: A - B = +0.071 Dice" in page
    for heading in ("Subjects", "Metrics", "Structures", "Where they differ most", "Cases"):
        assert f"<h2>{heading}</h2>" in page
    assert page.count("<tr><td>s-") == len(SUBJECTS)
    assert "<td>hd95 ↓</td><td>mm</td>" in page
    assert "<td>heart</td><td>Dice ↑</td>" in page
    assert "P(A better)" in page


def test_the_page_loads_nothing_and_escapes_what_comes_from_files(page):
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=\"(?!data:)|url\(|@import|https?:|<script", page)
    assert "<td>s-&lt;i&gt;</td>" in page
    assert "No images: the &lt;b&gt;models&lt;/b&gt; are gone." in page


def test_images_of_cases_are_on_the_page_where_there_are_any(pairing, page, page_with_images):
    assert (page_with_images.count("<img"), page.count("<img")) == (2, 1)
    assert "the same Dice in every case" in compare_page(pairing, Overlays())


def test_warnings_stand_above_the_numbers(pairing, page):
    odd = compare_page(replace(pairing, unlike=3), Overlays(missing="gone"))
    assert '<li class="odd">3 of 7 cases were prepared otherwise' in odd
    assert odd.index("prepared otherwise") < odd.index("<h2>Metrics")
    assert '<li class="odd">' not in page


def test_the_same_pairing_gives_the_same_page(page_with_images):
    assert compare_page(paired(), Overlays((overlay(),), NAMES)) == page_with_images


def test_lines_have_the_colour_of_the_side_that_leads(pairing):
    blue, orange = tinted(pair_figure(pairing))
    assert blue > 3 * orange > 0
    blue, orange = tinted(pair_figure(paired(-0.1)))
    assert orange > 3 * blue > 0


def test_the_plot_shows_a_difference_without_interval(pairing):
    measure = pairing.dice
    without = replace(measure.comparison, ci95=(None, None))
    bare = replace(pairing, measures=(replace(measure, comparison=without),))
    assert pair_figure(bare) != pair_figure(pairing)


def test_the_slice_is_the_one_on_which_the_sides_differ_most():
    first = np.zeros((8, 9, 4), np.uint8)
    truth, second = first.copy(), first.copy()
    truth[:, :, 0] = 1
    first[2:4, 2:4, 1] = 1
    second[2:5, 2:5, 3] = 1
    image = np.broadcast_to(np.arange(4, dtype=np.float32), truth.shape)
    found = Volumes(image, truth, first, second, AXIAL).cut("case", (0.5, 0.4))
    assert found.name == "case, slice 3"
    assert (found.image == 3).all()
    assert (found.first.sum(), found.second.sum()) == (0, 9)
    assert (found.spacing, found.axes) == ((1.0, 1.0), ("L", "P"))


def test_sides_that_are_equal_are_shown_where_the_truth_is_widest():
    labels = np.zeros((8, 9, 4), np.uint8)
    truth = labels.copy()
    truth[2:5, 2:5, 1] = 1
    found = Volumes(labels.astype(np.float32), truth, labels, labels, AXIAL).cut("c", (0, 0))
    assert found.name == "c, slice 1"


@pytest.mark.parametrize(
    ("shape", "affine", "axis"),
    [
        ((8, 9, 4), np.diag([1, 1, 5, 1]), 2),
        ((4, 9, 8), np.diag([5, 1, 1, 1]), 0),
        ((9, 9, 9), np.eye(4), 2),
        ((9, 1, 9), np.diag([1, 1, 5, 1]), 1),
    ],
)
def test_slices_are_cut_across_the_coarsest_axis(shape, affine, axis):
    labels = np.zeros(shape, np.uint8)
    volumes = Volumes(labels.astype(np.float32), labels, labels, labels, affine.astype(float))
    assert volumes.axis == axis
    kept = [place for place in range(3) if place != axis]
    cut = volumes.cut("case", (0, 0))
    assert cut.image.shape == tuple(shape[place] for place in kept)
    codes = nib.orientations.aff2axcodes(affine)
    assert cut.axes == tuple(codes[place] for place in kept)


def test_an_overlay_has_the_image_the_truth_and_both_sides():
    picture = pair_overlays([overlay()], NAMES)
    width = opened(picture).width
    # The outline is in the columns of the truth and of A, not of the image and of B.
    columns = pixels(picture, "#E69F00")[:, 1] / width
    outlined = {int(place * 4) for place in columns[columns > 0.25]}
    assert outlined == {1, 2}


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ([], "must be 1 to 6"),
        ([overlay()] * 7, "must be 1 to 6, got 7"),
        ([overlay(first=np.zeros((3, 3), np.uint8))], "needs slices of one shape"),
        ([overlay(second=np.full((20, 16), 3, np.uint8))], "names for 3 classes, got class 3"),
    ],
)
def test_overlays_that_cannot_be_drawn_are_refused(cases, message):
    with pytest.raises(InputError, match=message):
        pair_overlays(cases, NAMES)


def test_pictures_on_the_page_are_whole(page_with_images):
    for data in re.findall(r"base64,([^\"]+)", page_with_images):
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            image.load()
