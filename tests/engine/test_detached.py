import pytest

from uda_study.engine import detached
from uda_study.engine.detached import CODE, LOG
from uda_study.errors import InputError, StoreError


def test_a_command_runs_by_itself_and_leaves_its_words_and_its_end(tmp_path):
    shown = []
    detached.start(tmp_path / "s", ["--version"])
    assert detached.follow(tmp_path / "s", shown.append) == 0
    assert "".join(shown).startswith("uda-study ")
    # Whoever comes later sees the same.
    again = []
    assert detached.follow(tmp_path / "s", again.append) == 0
    assert "".join(again) == "".join(shown)


def test_its_exit_status_is_told(tmp_path):
    detached.start(tmp_path, ["stop", "nothing", "--home", str(tmp_path)])
    shown = []
    assert detached.follow(tmp_path, shown.append) == 2
    assert "unknown study" in "".join(shown)


def test_one_at_a_time(tmp_path):
    detached.start(tmp_path, ["--version"])
    with pytest.raises(InputError, match="being run by another process"):
        detached.start(tmp_path, ["--version"])
    assert detached.follow(tmp_path, lambda *_: None) == 0


def test_one_that_was_killed_is_not_taken_for_a_success(tmp_path):
    (tmp_path / LOG).write_text("so far\n")
    with pytest.raises(StoreError, match="was killed"):
        detached.follow(tmp_path, lambda *_: None)
    (tmp_path / CODE).write_text("3\n")
    assert detached.follow(tmp_path, lambda *_: None) == 3
