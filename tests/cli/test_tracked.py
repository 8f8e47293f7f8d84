"""Commands that read what studies left in the tracking database."""

import shutil

import pytest

from uda_study.study.trial import Cell, TrialResult, TrialSpec
from uda_study.tracking.log import MlflowRunLog
from uda_study.tracking.store import open_store
from uda_study.types import Direction


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    open_store(home)
    return home


@pytest.fixture
def home(empty_home, tmp_path):
    (tmp_path / "home").mkdir()
    shutil.copy(empty_home / "mlflow.db", tmp_path / "home" / "mlflow.db")
    return tmp_path / "home"


@pytest.mark.parametrize(
    "words",
    [
        ("status", "tyni"),
        ("leaderboard", "tyni"),
        ("promote", "tyni", "--cell", "depth=g2", "--to", "mr2ct"),
    ],
    ids=lambda words: words[0],
)
def test_an_unknown_study_is_invalid_input(call, home, words):
    ended = call(*words, "--home", home)
    assert ended.code == 2
    assert ended.err.startswith("uda-study: error: study: unknown study, got 'tyni'")
    assert ended.out == ""


@pytest.fixture
def tracked(home, tmp_path):
    """A home with one study of one cell, one of whose trainings has ended."""
    folder = tmp_path / "study"
    folder.mkdir()
    cell = Cell("depth=g2", "dam", Direction("mr", "ct"), {"depth": "g2"}, {"depth": "g2"})
    log = MlflowRunLog(home)
    log.open("tiny-1", folder, [cell], {"dataset": "manifest", "protocol": "strict"})
    spec = TrialSpec("tiny-1", "search", cell.key, 0, "dam", "mr->ct", 0, 0, {})
    log.trial_started(spec, {"depth": "g2"})
    log.trial_finished(spec, TrialResult(spec.key, "diverged", 3), folder)
    log.close("complete")
    return home


def test_status_counts_trainings_by_how_they_ended(call, tracked):
    assert call("status", "--home", tracked).out == "tiny-1   1 diverged\n"
    assert call("status", "tin", "--json", "--home", tracked).json == [
        {"study": "tiny-1", "trials": {"diverged": 1}, "faults": [], "missing": []}
    ]


def test_an_unknown_cell_is_invalid_input_with_those_that_there_are(call, tracked):
    ended = call("promote", "tiny-1", "--cell", "depth=g3", "--to", "mr2ct", "--home", tracked)
    assert ended.code == 2
    assert ended.err.startswith("uda-study: error: cell: unknown cell, got 'depth=g3'")
    assert "depth=g2" in ended.err


def test_no_studies_are_an_empty_list(call, home):
    assert call("status", "--json", "--home", home).json == []


def test_predict_names_an_unknown_model(call, home, study_file):
    images = study_file.parent / "images"
    ended = call("predict", "-m", "no@champion", "-i", images, "-o", "out", "--home", home)
    assert ended.code == 2
    assert "no" in ended.err
    assert "Traceback" not in ended.err


def test_a_home_that_is_a_file_is_invalid_input(call, tmp_path):
    (tmp_path / "occupied").touch()
    ended = call("status", "--home", "occupied")
    assert ended.code == 2
    assert "home: must be a folder that can be written to" in ended.err
