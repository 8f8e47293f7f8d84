import dataclasses
import io
import math
from typing import Any

import numpy as np
import pytest
from PIL import Image

from uda_study.errors import InputError
from uda_study.report.style import Picture
from uda_study.report.translations import Plane, TranslationRow, translations_figure

AXIAL = Plane((1.0, 1.0), ("R", "A"))


def slice_of(*size: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=size).astype(np.float32)


def row(name: str = "case", **changes: Any) -> TranslationRow:
    image, source = slice_of(24, 20), slice_of(18, 30)
    made = TranslationRow(
        name, image, -image, image, AXIAL, "other", source, source, Plane((2.0, 1.0), ("L", "P"))
    )
    return dataclasses.replace(made, **changes)


def pixels(picture: Picture) -> np.ndarray:
    with Image.open(io.BytesIO(picture.png)) as opened:
        return np.asarray(opened.convert("RGB")).astype(int)


def colours(picture: Picture) -> tuple[float, float]:
    """Return the shares of pixels that are clearly red and clearly blue."""
    image = pixels(picture)
    redder = image[..., 0] - image[..., 2]
    return float((redder > 60).mean()), float((redder < -60).mean())


def test_equal_input_gives_equal_files() -> None:
    assert translations_figure([row()]) == translations_figure([row()])


def test_each_row_makes_the_picture_higher() -> None:
    heights = [pixels(translations_figure([row()] * n)).shape[0] for n in (1, 2, 4)]
    assert heights == sorted(set(heights))


def test_methods_that_do_not_restore_have_no_column_of_cycles() -> None:
    there, back = row(cycled=None), row()
    width = pixels(translations_figure([back])).shape[1]
    assert pixels(translations_figure([there])).shape[1] < width
    assert pixels(translations_figure([there, back])).shape[1] == width


def test_brighter_is_red_and_darker_is_blue() -> None:
    image = slice_of(24, 20)
    none = colours(translations_figure([row(translated=image)]))
    brighter = colours(translations_figure([row(translated=image + 3)]))
    darker = colours(translations_figure([row(translated=image - 3)]))
    assert brighter[0] > none[0] + 0.05
    assert brighter[1] == pytest.approx(none[1], abs=0.01)
    assert darker[1] > none[1] + 0.05
    assert darker[0] == pytest.approx(none[0], abs=0.01)


def test_all_rows_share_the_scale_of_differences() -> None:
    image = slice_of(24, 20)
    slight = row(translated=image + 0.2)
    alone = colours(translations_figure([slight]))[0]
    beside = colours(translations_figure([slight, row(translated=image - 5)]))[0]
    assert alone > 0.05 > beside


@pytest.mark.parametrize("value", [0.0, math.nan, math.inf])
def test_constant_and_damaged_translations_are_drawn(value: float) -> None:
    flat = np.full((24, 20), value, np.float32)
    assert pixels(translations_figure([row(translated=flat, cycled=flat)])).size


def test_every_problem_of_the_rows_is_named() -> None:
    rows = [row("a", cycled=slice_of(3, 3)), row("b", identity=slice_of(2, 2, 2)), *[row()] * 5]
    with pytest.raises(InputError) as caught:
        translations_figure(rows)
    assert [problem.where for problem in caught.value.problems] == [
        "translation rows",
        "translation row 'a', target",
        "translation row 'b', source",
    ]
