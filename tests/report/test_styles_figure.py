import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from uda_study.errors import InputError
from uda_study.report.style import Picture
from uda_study.report.styles import Reference, StyleColumn, StyleRow, styles_figure
from uda_study.report.translations import Plane

PLANE = Plane((1.0, 1.0), ("R", "A"))


def head(size: tuple[int, int] = (24, 20)) -> np.ndarray:
    image = np.zeros(size, np.float32)
    image[4:-4, 4:-4] = 1
    return image


def row(name: str = "case", styles: int = 2) -> StyleRow:
    return StyleRow(name, head(), tuple((n + 1) * head() for n in range(styles)), PLANE)


def pixels(picture: Picture) -> np.ndarray:
    with Image.open(io.BytesIO(picture.png)) as opened:
        return np.asarray(opened.convert("L")).astype(int)


SAMPLED = [StyleColumn("style 1"), StyleColumn("style 2")]
REFERRED = [StyleColumn("ct-001", Reference(head(), PLANE)), StyleColumn("style 2")]


def test_each_slice_adds_a_line_and_each_style_a_column() -> None:
    small = pixels(styles_figure([row()], SAMPLED)).shape
    assert pixels(styles_figure([row(), row("b")], SAMPLED)).shape[0] > small[0]
    assert pixels(styles_figure([row(styles=3)], [*SAMPLED, StyleColumn("c")])).shape[1] > small[1]


def test_slices_that_styles_are_taken_from_stand_in_a_line_above() -> None:
    without, referred = (pixels(styles_figure([row()], c)) for c in (SAMPLED, REFERRED))
    assert referred.shape[0] > without.shape[0]
    assert referred.shape[1] == without.shape[1]


def test_a_column_has_one_grey_scale() -> None:
    bright = StyleRow("bright", head(), (head(), head()), PLANE)
    dark = dataclasses.replace(bright, name="bright", rendered=(0.2 * head(), head()))
    both = pixels(styles_figure([bright, dark], SAMPLED))
    alone = pixels(styles_figure([dark], SAMPLED))
    assert np.count_nonzero((both > 40) & (both < 60)) > 10 * np.count_nonzero(
        (alone > 40) & (alone < 60)
    )


def test_the_reference_sets_the_grey_scale_of_its_column() -> None:
    loud = [StyleColumn("loud", Reference(100 * head(), PLANE)), StyleColumn("style 2")]
    quiet = pixels(styles_figure([row()], REFERRED))
    assert (pixels(styles_figure([row()], loud)) < 30).sum() > (quiet < 30).sum()


def test_sampled_styles_are_shown_in_the_grey_scale_of_the_references() -> None:
    faint = dataclasses.replace(row(), rendered=(head(), 0.1 * head()))
    for columns, darker in ((REFERRED, True), (SAMPLED, False)):
        white = [(pixels(styles_figure([r], columns)) > 250).sum() for r in (faint, row())]
        assert (white[0] < white[1]) == darker


def test_equal_input_gives_equal_pictures() -> None:
    assert styles_figure([row()], REFERRED) == styles_figure([row()], REFERRED)


def test_references_may_be_sized_otherwise() -> None:
    tall = Reference(head((60, 20)), Plane((2.0, 1.0), ("A", "S")))
    styles_figure([row()], [StyleColumn("tall", tall), StyleColumn("style 2")])


def test_what_does_not_fit_is_named() -> None:
    odd = dataclasses.replace(row("odd"), rendered=(head((9, 9)),))
    with pytest.raises(InputError) as caught:
        styles_figure([odd], SAMPLED)
    assert str(caught.value).splitlines() == [
        "style row 'odd': needs one image for each of 2 styles, got 1",
        "style row 'odd': needs slices of one shape (A, B), got (24, 20), (9, 9)",
    ]


@pytest.mark.parametrize(("rows", "styles"), [(0, 2), (7, 2), (1, 0), (1, 9)])
def test_figures_have_limits(rows: int, styles: int) -> None:
    columns = [StyleColumn(str(n)) for n in range(styles)]
    with pytest.raises(InputError, match="must be 1 to"):
        styles_figure([row(styles=styles)] * rows, columns)
