from collections.abc import Callable
from pathlib import Path

import pytest

from uda_study.engine.job import Home, Job
from uda_study.engine.setup import Study, prepare_study
from uda_study.study.trial import Kind, TrialSpec
from uda_study.study.validate import load_study
from uda_study.testing.fakes import DAM, SEGMENTER, write_tiny_study
from uda_study.types import JSON


@pytest.fixture(scope="session")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study beside its images; not to be changed."""
    return write_tiny_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def study(study_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    return prepare_study(load_study(study_file), Home(tmp_path_factory.mktemp("home")))


@pytest.fixture
def job(study: Study, tmp_path: Path) -> Job:
    """The study in an empty home; its prepared images stay where they are."""
    return Job(Home(tmp_path / "home"), study.id, study.spec, study.preprocessing, study.data)


@pytest.fixture
def make_spec(study: Study) -> Callable[..., TrialSpec]:
    def make(method: str = "dam", kind: Kind = "search", **params: JSON) -> TrialSpec:
        settings = DAM if method == "dam" else SEGMENTER
        return TrialSpec(study.id, kind, "cell", 0, method, "mr->ct", 0, 0, {**settings, **params})

    return make
