import dataclasses
import io
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from uda_study.errors import InputError
from uda_study.report.curves import curves_figure
from uda_study.report.overlays import OverlayRow, overlay_figure
from uda_study.report.results import ResultPanel, ResultRow, results_figure
from uda_study.report.style import Picture

NAMES = ("background", "liver", "spleen")


def pixels(picture: Picture) -> np.ndarray:
    with Image.open(io.BytesIO(picture.png)) as opened:
        return np.asarray(opened.convert("RGB")).astype(int)


def coloured(picture: Picture) -> float:
    """Return the share of pixels that are not grey: contours and their legend."""
    image = pixels(picture)
    return float((image.max(axis=2) - image.min(axis=2) > 60).mean())


def row(name: str = "case", size: tuple[int, int] = (24, 20)) -> OverlayRow:
    truth = np.zeros(size, np.uint8)
    truth[4:12, 4:12] = 1
    truth[14:, 10:] = 2
    return OverlayRow(name, truth.astype(np.float32), np.roll(truth, 1), truth, np.roll(truth, 4))


def curve(name: str, values: list[float], **columns: str) -> pd.DataFrame:
    return pd.DataFrame({"step": range(len(values)), "name": name, "value": values, **columns})


def cell(label: str, mean: float, **changes: Any) -> ResultRow:
    made = ResultRow(label, mean, mean - 0.05, mean + 0.05, (mean - 0.01, mean + 0.01))
    return dataclasses.replace(made, **changes)


PANEL = ResultPanel(
    "mr->ct", [cell("dam", 0.7), cell("none", 0.1, role="lower"), cell("all", 0.9, role="upper")]
)


def test_equal_input_gives_equal_files_without_date_or_software() -> None:
    first, second = overlay_figure([row()], NAMES), overlay_figure([row()], NAMES)
    assert first == second
    with Image.open(io.BytesIO(first.png)) as opened:
        assert set(opened.info) == {"dpi"}


def test_a_picture_is_saved_as_it_is(tmp_path: Path) -> None:
    picture = results_figure([PANEL], "title")
    picture.save(tmp_path / "results.png")
    assert (tmp_path / "results.png").read_bytes() == picture.png


def test_drawing_leaves_no_settings_behind_and_heeds_none() -> None:
    expected = overlay_figure([row()], NAMES)
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "image.origin": "lower"}):
        before = dict(mpl.rcParams)
        assert overlay_figure([row()], NAMES) == expected
        assert dict(mpl.rcParams) == before


def test_figures_come_without_pyplot() -> None:
    code = (
        "import sys, uda_study.report.overlays, uda_study.report.curves, uda_study.report.results;"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_each_row_makes_the_overlay_higher() -> None:
    heights = [
        pixels(overlay_figure([row(str(n)) for n in range(count)], NAMES)).shape[0]
        for count in (1, 2, 6)
    ]
    assert heights == sorted(set(heights))


def test_translated_images_add_a_column_and_missing_ones_take_it_away() -> None:
    full = row()
    width = pixels(overlay_figure([full], NAMES)).shape[1]
    translated = dataclasses.replace(full, translated=-full.image)
    bare = dataclasses.replace(full, truth=None, before=None)
    assert pixels(overlay_figure([full, translated], NAMES)).shape[1] > width
    assert pixels(overlay_figure([bare], NAMES)).shape[1] < width
    assert pixels(overlay_figure([bare, full], NAMES)).shape[1] == width


@pytest.mark.parametrize("value", [0.0, 7.0, math.nan])
def test_constant_and_damaged_images_are_drawn_with_their_contours(value: float) -> None:
    flat = dataclasses.replace(row(), image=np.full((24, 20), value, np.float32))
    assert coloured(overlay_figure([flat], NAMES)) > 0.01


def test_nothing_found_is_drawn_without_contours() -> None:
    nothing = np.zeros((24, 20), np.uint8)
    assert coloured(overlay_figure([OverlayRow("x", row().image, nothing)], NAMES)) == 0


def test_a_structure_that_fills_the_image_has_an_outline() -> None:
    full = np.ones((8, 8), np.uint8)
    assert coloured(overlay_figure([OverlayRow("x", np.zeros((8, 8)), full)], NAMES)) > 0.001


def test_long_and_flat_slices_stay_within_bounds() -> None:
    flat = dataclasses.replace(row(size=(200, 20)), spacing=(1.0, 0.1))
    tall = dataclasses.replace(row(size=(20, 200)), spacing=(0.1, 1.0))
    heights = [pixels(overlay_figure([r], NAMES)).shape[0] for r in (flat, tall)]
    assert 200 < heights[0] < heights[1] < 800


def test_every_problem_of_the_rows_is_named() -> None:
    volume = OverlayRow("vol", np.zeros((2, 2, 2)), np.zeros((2, 2, 2), np.uint8))
    unknown = OverlayRow("new", np.zeros((2, 2)), np.full((2, 2), 3, np.uint8))
    with pytest.raises(InputError) as caught:
        overlay_figure([volume, unknown] + [row()] * 5, NAMES)
    assert [problem.where for problem in caught.value.problems] == [
        "overlay rows",
        "overlay row 'vol'",
        "overlay row 'new'",
    ]


def test_curves_get_a_panel_per_player_and_stage() -> None:
    one = curve("critic/loss", [3.0, 2.0, 1.0], stage="adapt")
    other = curve("critic/loss", [3.0, 2.0, 1.0], stage="retrain")
    width = pixels(curves_figure(one)).shape[1]
    assert pixels(curves_figure(pd.concat([one, one.assign(name="critic/norm")]))).shape[1] == width
    assert pixels(curves_figure(pd.concat([one, other]))).shape[1] > 1.8 * width


def test_curves_bear_values_that_are_not_finite() -> None:
    frame = pd.concat(
        [
            curve("critic/loss", [math.nan, math.inf]),
            curve("adapter/loss", [1.0, math.nan, 1e4, 1e-4] * 30),
            curve("blind/score", [0.1]),
        ]
    )
    assert coloured(curves_figure(frame)) > 0.001


def test_stage_boundaries_are_marked_on_the_common_axis() -> None:
    frame = curve("blind/score", [0.0, 0.5, 1.0])
    plain, marked = curves_figure(frame), curves_figure(frame, {"adapt": 0, "retrain": 1})
    assert pixels(marked).shape[0] > pixels(plain).shape[0]


@pytest.mark.parametrize("columns", [["step", "name"], ["step", "name", "value"]])
def test_curves_need_rows_and_columns(columns: list[str]) -> None:
    with pytest.raises(InputError, match="step, name and value"):
        curves_figure(pd.DataFrame(columns=columns))


def test_results_do_not_depend_on_the_order_of_the_rows() -> None:
    rows = [cell("a", 0.5), cell("b", 0.7), cell("c", 0.7)]
    assert results_figure([ResultPanel("x->y", rows)], "t") == results_figure(
        [ResultPanel("x->y", rows[::-1])], "t"
    )


def test_results_bear_missing_cells_intervals_and_bounds() -> None:
    lonely = cell("seed", 0.5, lo=math.nan, hi=math.nan, seeds=(0.5,))
    unbounded = cell("none", 0.1, role="lower", lo=math.nan, hi=math.nan)
    panels = [PANEL, ResultPanel("ct->mr", [lonely, unbounded])]
    assert pixels(results_figure(panels, "title", "subtitle")).shape[1] > 1500


def test_results_without_a_finite_mean_are_refused() -> None:
    with pytest.raises(InputError, match="needs a finite mean, got dam nan"):
        results_figure([ResultPanel("mr->ct", [cell("dam", math.nan)])], "title")
    with pytest.raises(InputError, match="at least one row"):
        results_figure([], "title")
