"""``uda-study evaluate`` on a study of which one training has ended."""

import shutil

import pytest
from one_training import make_home

from uda_study.tracking.query import study_cases, study_runs
from uda_study.tracking.store import open_store
from uda_study.training import features


@pytest.fixture(scope="module")
def home(study_file, tmp_path_factory):
    """A home with a training of the lower bound; the tests add to it."""

    def bound(study):
        return next(trial for trial in study.baselines if trial.method == "no_adaptation")

    return make_home(tmp_path_factory.mktemp("evaluated"), study_file, bound)


def test_a_named_metric_is_added_to_the_runs_and_said_to_be_undefined_where_it_is(
    call, home, monkeypatch
):
    monkeypatch.setattr(features, "EPOCHS", (1, 1))
    words = ("evaluate", "tiny", "--home", home, "--metric", "kid", "--metric", "fid")
    ended = call(*words)
    assert (ended.code, ended.out) == (0, "")
    assert "1/1 no_adaptation direction=mr->ct no_adaptation seed 0: kid, fid" in ended.err
    assert "! fid is undefined in 1 of 1 trainings: there are fewer planes than" in ended.err
    assert "1 of 1 trainings evaluated" in ended.err

    client = open_store(home)
    (study,) = [path.name for path in (home / "studies").iterdir()]
    assert study_runs(client, study)["test/kid"].notna().all()
    assert {"kid", "fid", "dice"} <= set(study_cases(client, study)["metric"])
    board = call("leaderboard", study, "--format", "csv", "--home", home)
    assert "kid" in board.out.splitlines()[0]

    again = call(*words, "--json")
    assert again.json == {
        "study": study, "trainings": 1, "evaluated": 0, "metrics": [], "undefined": {},
        "without_model": [],
    }  # fmt: skip


def test_nothing_is_lacking_of_what_every_study_measures(call, home):
    assert call("evaluate", "tiny", "--json", "--home", home).json["evaluated"] == 0


def test_a_study_that_was_begun_otherwise_is_not_evaluated(call, home):
    (folder,) = (home / "studies").iterdir()
    shutil.copytree(folder, home / "studies" / "older-1234")
    ended = call("evaluate", "older-1234", "--home", home)
    shutil.rmtree(home / "studies" / "older-1234")
    assert ended.code == 2
    assert "study older-1234: was begun by another version" in ended.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("tiny", "--metric", "fidd"), "unknown metric, got 'fidd'; did you mean 'fid'?"),
        (("other",), "unknown study, got 'other'"),
    ],
)
def test_what_is_unknown_is_invalid_input(call, home, words, message):
    ended = call("evaluate", *words, "--home", home)
    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err
