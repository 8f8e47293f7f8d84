"""The page as a browser shows it; needs Chromium or Chrome, which no wheel brings along."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import Browser, chromium
from PIL import Image
from report_fakes import material_of, with_pictures

from uda_study.report.sections.volumes import Volumes
from uda_study.report.study_report import study_report
from uda_study.report.volume_viewer import viewed_case

PROGRAM = chromium()
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="no Chromium or Chrome here: apt-get install chromium"
)
SHAPE = (24, 20, 12)
# Orange and blue at the centre of their boxes, mixed with grey: truth and prediction of one
# structure.
TRUTH, PREDICTION = (slice(4, 10), slice(4, 16), slice(2, 10)), (slice(14, 20), slice(4, 16),
                                                                 slice(2, 10))  # fmt: skip


def case(name: str, shape: tuple[int, int, int] = SHAPE):
    image = np.indices(shape).sum(0).astype(np.float32)
    truth, found = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    truth[TRUTH] = 1
    found[PREDICTION] = 1
    return viewed_case(name, image, truth, found, np.diag([4.0, 4, 8, 1]))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    buffer = io.BytesIO()
    Image.fromarray(np.full((300, 900), 90, np.uint8)).save(buffer, "PNG")
    material, _ = with_pictures(material_of({"g3": 0.5, "g7": 0.6}), folder, buffer.getvalue())
    volumes = Volumes((case("first"), case("second")), ("skull",))
    path = folder / "report.html"
    path.write_text(study_report(material, volumes, "Which depth?"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert PROGRAM is not None
    with Browser(PROGRAM, tmp_path_factory.mktemp("profile")) as browser:
        browser.resize(1280, 800)
        browser.open(file)
        browser.wait("document.getElementById('viewer').dataset.shown === '0'")
        yield browser


def seen(browser: Browser) -> np.ndarray:
    """Return the pixels of the viewer, ``(rows, columns, 3)``."""
    box = browser.value(
        "(() => { const b = document.querySelector('.viewer canvas').getBoundingClientRect();"
        "return [b.x + scrollX, b.y + scrollY, b.width, b.height]; })()"
    )
    return np.asarray(Image.open(io.BytesIO(browser.picture(*box))).convert("RGB")).astype(int)


def orange(pixels: np.ndarray) -> int:
    return int((pixels[..., 0] - pixels[..., 2] > 60).sum())


def blue(pixels: np.ndarray) -> int:
    return int((pixels[..., 2] - pixels[..., 0] > 40).sum())


def choose(browser: Browser, part: str, what: str, event: str = "input") -> None:
    browser.value(
        f"(() => {{ const it = document.querySelector('[data-part=\"{part}\"]'); it.{what};"
        f"it.dispatchEvent(new Event('{event}')); }})()"
    )


def test_the_page_asks_for_nothing_and_complains_of_nothing(browser: Browser, file: Path):
    assert {url for url in browser.requests if not url.startswith("chrome")} == {file.as_uri()}
    assert browser.complaints == []


def test_every_picture_is_there(browser: Browser):
    sizes = browser.value(
        "[...document.images].map(i => { i.closest('details')?.setAttribute('open', '');"
        "return [i.complete, i.naturalWidth]; })"
    )
    assert len(sizes) >= 5
    assert all(complete and width > 100 for complete, width in sizes)


def test_the_viewer_draws_image_truth_and_prediction(browser: Browser):
    pixels = seen(browser)
    grey = (pixels.max(-1) - pixels.min(-1) < 12) & (pixels.max(-1) > 40) & (pixels.max(-1) < 220)
    assert grey.mean() > 0.1
    assert orange(pixels) > 500
    assert blue(pixels) > 500
    assert browser.value("document.querySelector('[data-part=without]').hidden") is True
    assert browser.value("document.querySelector('[data-part=about]').textContent") == "first"


def test_truth_and_prediction_can_be_hidden_and_shown_again(browser: Browser):
    both = seen(browser)
    choose(browser, "truth-shown", "checked = false")
    assert orange(seen(browser)) < orange(both) / 20
    choose(browser, "prediction-opacity", "value = 0")
    assert blue(seen(browser)) < blue(both) / 20
    choose(browser, "truth-shown", "checked = true")
    choose(browser, "prediction-opacity", "value = 0.5")
    assert np.abs(seen(browser) - both).mean() < 1


def test_another_case_can_be_chosen(browser: Browser):
    choose(browser, "case", "value = '1'", "change")
    browser.wait("document.getElementById('viewer').dataset.shown === '1'")
    assert browser.value("document.querySelector('[data-part=about]').textContent") == "second"
    assert orange(seen(browser)) > 500


@pytest.mark.parametrize("width", [1280, 800, 390])
def test_nothing_is_wider_than_the_screen(browser: Browser, width: int):
    browser.resize(width, 800)
    assert browser.value("document.documentElement.scrollWidth") == width


def test_the_contents_stay_in_sight_on_a_wide_screen_only(browser: Browser):
    top = "(scrollTo(0, 900), document.querySelector('nav').getBoundingClientRect().top)"
    browser.resize(1280, 800)
    assert browser.value(top) >= 0
    browser.resize(390, 800)
    assert browser.value(top) < -100
    browser.resize(1280, 800)


def test_without_webgl_a_sentence_stands_in_its_place(file: Path, tmp_path: Path):
    assert PROGRAM is not None
    with Browser(PROGRAM, tmp_path / "profile", webgl=False) as browser:
        browser.open(file)
        assert browser.value("document.createElement('canvas').getContext('webgl2')") is None
        parts = browser.value(
            "['without', 'with'].map(p => document.querySelector(`[data-part=${p}]`).hidden)"
        )
        assert parts == [False, True]
        assert browser.value("document.images.length") >= 5
        assert browser.complaints == []


def test_on_paper_everything_folded_is_open_and_nothing_is_interactive(browser: Browser):
    browser.value("document.querySelectorAll('details').forEach(d => d.removeAttribute('open'))")
    folded = "[...document.querySelectorAll('details > *:last-child')]"
    visible = f"{folded}.map(e => e.checkVisibility())"
    assert not any(browser.value(visible))
    browser.printed()
    assert all(browser.value(visible))
    hidden = "['.screen', '.controls'].map(s => document.querySelector(s).offsetHeight)"
    assert browser.value(hidden) == [0, 0]
    assert browser.value("getComputedStyle(document.querySelector('nav')).position") == "static"
