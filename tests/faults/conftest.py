from dataclasses import replace
from pathlib import Path

import pytest

from uda_study.engine.job import Home
from uda_study.engine.setup import Study, prepare_study
from uda_study.study.checks import Check
from uda_study.study.validate import load_study
from uda_study.testing.fakes import write_tiny_study


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A small study with its images ready, in a home that is not to be written to."""
    folder = tmp_path_factory.mktemp("images")
    prepared = prepare_study(load_study(write_tiny_study(folder)), Home(folder / "home"))
    return replace(prepared, checks=(Check("stub", True, "nothing is trained"),))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = tmp_path / "home"
    place.mkdir()
    return place
