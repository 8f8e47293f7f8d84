import re
from importlib.metadata import version
from pathlib import Path

import pytest

import uda_study
from uda_study.clusters.shipping import installed, outside, staged
from uda_study.errors import InputError
from uda_study.study.cells import study_id
from uda_study.study.validate import load_study
from uda_study.testing.fakes import write_tiny_study

CHECKOUT = Path(uda_study.__file__).parents[1]


@pytest.fixture(scope="module")
def sourced(tmp_path_factory):
    file = write_tiny_study(tmp_path_factory.mktemp("study"))
    return load_study(file, ["search.num_samples=7"])


def test_the_program_and_the_study_travel_and_nothing_else(sourced):
    with staged(sourced.resolved) as package:
        files = set(package.files)
        assert {name.split("/")[0] for name in files} == {
            "uda_study", "study.yaml", "pyproject.toml", "constraints.txt",
        }  # fmt: skip
        assert "uda_study/cli/run.py" in files
        assert "uda_study/py.typed" in files
        assert any(name.startswith("uda_study/report/assets/") for name in files)
        assert not [name for name in files if "__pycache__" in name or name.endswith(".pyc")]
    assert not package.folder.exists()


def test_what_was_validated_here_is_the_same_study_there(sourced):
    with staged(sourced.resolved) as package:
        there = load_study(package.folder / "study.yaml", [])
    assert there.spec.search.num_samples == 7
    assert study_id(there.resolved) == study_id(sourced.resolved)


def test_an_installed_package_travels_with_the_versions_that_are_installed(sourced, tmp_path):
    package = tmp_path / "site-packages" / "uda_study"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    with staged(sourced.resolved, package) as found:
        lines = (found.folder / "constraints.txt").read_text().splitlines()
        assert "pyproject.toml" not in found.files
    assert lines == installed()
    assert f"torch=={version('torch')}" in lines
    assert all(re.fullmatch(r"[\w-]+==\S+", line) for line in lines)


def test_too_much_is_refused_with_the_largest_named(sourced, tmp_path):
    package = tmp_path / "uda_study"
    package.mkdir()
    (package / "weights.bin").write_bytes(bytes(3_000_000))
    (package / "__init__.py").write_text("")
    with (
        pytest.raises(InputError, match=r"must not exceed 2 MB, got 3\.0 MB; .*weights\.bin"),
        staged(sourced.resolved, package, most=2 * 10**6),
    ):
        pass


def test_plugins_of_other_packages_are_told():
    assert outside(["dam", "somebodys"], "phantom") == ["somebodys"]
    assert outside(["dam"], "their_images") == ["their_images"]
