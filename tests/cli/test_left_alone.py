"""A study that is left to a process of its own on this machine."""

import pytest

from uda_study.engine import detached


@pytest.fixture
def started(monkeypatch) -> list[tuple]:
    """Processes that would have been started."""
    found = []
    monkeypatch.setattr(detached, "start", lambda folder, words: found.append((folder, words)))
    return found


def test_what_was_validated_is_what_is_left_to_run(call, study_file, started, tmp_path):
    ended = call("run", study_file, "--set", "search.num_samples=9", "--detach", "--json")
    study = ended.json["study"]
    ((folder, words),) = started
    home = tmp_path / "uda-study-data"
    assert folder == home / "studies" / study
    assert words == ["run", str(folder / "run.yaml"), "--home", str(home)]
    assert "num_samples: 9" in (folder / "run.yaml").read_text()
    assert f"uda-study follow {study}" in ended.err
    # The file that runs gives the same study.
    again = call("run", folder / "run.yaml", "--detach", "--json")
    assert again.json["study"] == study


def test_its_log_is_followed_and_its_exit_code_given(call, study_file, started):
    study = call("run", study_file, "--detach", "--json").json["study"]
    ((folder, _),) = started
    (folder / detached.LOG).write_text("3/3 trainings done\n")
    (folder / detached.CODE).write_text("3\n")
    ended = call("follow", study)
    assert (ended.code, ended.out) == (3, "3/3 trainings done\n")
    assert call("follow", study, "--json").json == {"study": study, "exit": 3}


def test_nothing_is_started_where_the_cluster_is_silent(call, study_file, started):
    assert call("run", study_file, "--detach", "--cluster", "127.0.0.1:1").code == 2
    assert started == []


def test_what_does_not_run_is_not_stopped(call, study_file, started):
    study = call("run", study_file, "--detach", "--json").json["study"]
    ended = call("stop", study)
    assert ended.code == 2
