"""The figures in the docs are what the scripts draw, one for each method, and hold together."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from uda_study import plugins

DOCS = Path(__file__).parents[1] / "docs"
SCRIPTS = DOCS / "figures"
DRAWN = DOCS / "images" / "methods"
METHODS = plugins.names("methods")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all figures, drawn just now."""
    folder = tmp_path_factory.mktemp("figures")
    command = [sys.executable, "-B", str(SCRIPTS / "methods.py"), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def test_there_is_a_figure_for_every_method_and_no_other(fresh):
    assert sorted(path.stem for path in fresh.iterdir()) == sorted(METHODS)
    assert sorted(path.name for path in DRAWN.iterdir()) == sorted(
        path.name for path in fresh.iterdir()
    )


@pytest.mark.parametrize("name", METHODS)
def test_the_figure_is_what_the_script_draws(fresh, name):
    file = f"{name}.svg"
    assert (DRAWN / file).read_bytes() == (fresh / file).read_bytes(), (
        "run python docs/figures/methods.py"
    )


@pytest.mark.parametrize("name", METHODS)
def test_the_figure_needs_nothing_from_elsewhere(name):
    text = (DRAWN / f"{name}.svg").read_text()
    root = ET.fromstring(text)
    assert root.get("width") == "800"
    assert not re.search(r"href|url\(|<style|<script|<image|<foreignObject", text)


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        ("panel.net(300, 60, 'a'); panel.net(350, 60, 'b')", "overlap"),
        ("panel.loss(0, 60, 'adversarial', 'adversarial')", "beyond its panel"),
        ("panel.net(300, 60, 'a much too long name')", "too long"),
        (
            "a, _, c = (panel.net(x, 60, 'net') for x in (80, 300, 520));"
            "panel.arrow(a.right(), c.left())",
            "crosses",
        ),
        (
            "a, b = panel.net(80, 60, 'a'), panel.net(300, 100, 'b');"
            "panel.arrow(a.right(), b.left())",
            "slanted",
        ),
        (
            "panel.arrow((100.0, 90.0), (300.0, 90.0)); panel.arrow((200.0, 60.0), (200.0, 120.0))",
            "cross",
        ),
    ],
)
def test_a_figure_with_something_in_the_way_is_refused(build, complaint, tmp_path):
    script = (
        "from pathlib import Path; from draw import Figure; figure = Figure('spoilt');"
        f"panel = figure.panel('Title', 150); {build}; figure.save(Path({str(tmp_path)!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", script],
        cwd=SCRIPTS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert complaint in done.stderr
    assert not list(tmp_path.iterdir())
