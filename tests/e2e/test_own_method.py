"""The tutorial's method as a package outside of uda-study: known, tested and compared."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray

PAGE = Path(__file__).parents[2] / "docs" / "own-method.md"
STUDY = """\
version: 1
name: own
method: deep_coral
matrix: {direction: [mr->ct]}
data:
  dataset: phantom
  options: {subjects: 5, shape: [32, 32, 4], spacing: [7, 7, 14]}
search: {num_samples: 2}
confirm: {seeds: [1]}
baselines: [no_adaptation]
evaluation: {every: 3, images: 4}
parameters:
  deep_coral.coral_weight: {type: float, low: 1e3, high: 1e5, log: true}
  segmenter.name: dilated_fcn
  segmenter.width: 2
  segmenter.steps: 4
  steps: 6
"""


def fences(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def entry_points_file(groups: Mapping[str, Mapping[str, str]]) -> str:
    """Write the groups of a pyproject.toml as an installer would."""
    lines = []
    for group, points in groups.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    return "\n".join(lines) + "\n"


def run_module(*words: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the page's package, installed for the processes that are started."""
    code, contract = fences("python")
    (toml,) = fences("toml")
    groups = tomllib.loads(toml)["project"]["entry-points"]
    site = tmp_path / "site"
    (site / "my_package").mkdir(parents=True)
    (site / "my_package" / "__init__.py").touch()
    (site / "my_package" / "deep_coral.py").write_text(code)
    (site / "test_deep_coral.py").write_text(contract)
    facts = site / "my_package-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(entry_points_file(groups))
    monkeypatch.setenv("PYTHONPATH", str(site))
    return site


def test_a_study_compares_the_tutorials_method(package, shell):
    listed = json.loads(run_module("uda_study", "methods", "--json", folder=package))
    (entry,) = [entry for entry in listed if entry["name"] == "deep_coral"]
    assert entry["supervision"] == "images"
    assert entry["hyperparameters"]["coral_weight"] == 1e4
    outcome = shell.json("run", shell.study_file(STUDY), "--json")
    assert outcome["status"] == "complete"
    board = shell.json("leaderboard", outcome["study"], "--format", "json")
    (table,) = board["tables"]
    assert table["supervision"] == "images"
    (row,) = [row for row in table["rows"] if row["role"] == "method"]
    assert row["method"] == "deep_coral"
    assert row["trials"] == 2
    assert 0 <= row["scores"]["dice"]["mean"] <= 1


def test_the_tutorials_own_test_passes(package):
    out = run_module("pytest", "-q", "-p", "no:cacheprovider", str(package), folder=package)
    assert " passed" in out
