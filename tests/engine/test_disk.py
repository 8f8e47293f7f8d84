import errno
import sqlite3

import pytest

from uda_study.engine import disk
from uda_study.engine.disk import full_disk, is_full, require_space
from uda_study.errors import InputError


def test_a_place_with_room_is_taken_and_one_without_is_refused_with_both_figures(tmp_path):
    require_space(tmp_path / "not" / "there" / "yet", 1)
    with pytest.raises(InputError) as caught:
        require_space(tmp_path / "not" / "there" / "yet", 2**60)
    (problem,) = caught.value.problems
    assert problem.rule == "needs 1099511627776 MiB of free space"
    assert str(tmp_path) in problem.value
    assert "MiB on the disk of" in problem.value
    assert "--home" in problem.remedy


def test_without_a_forecast_a_small_floor_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "FLOOR_BYTES", 2**60)
    with pytest.raises(InputError, match="needs"):
        require_space(tmp_path)


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (sqlite3.OperationalError("database or disk is full"), True),
        (RuntimeError("I/O error: No space left on device (os error 28)"), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (RuntimeError("out of memory"), False),
    ],
)
def test_a_full_disk_is_told_from_other_errors(error, full):
    assert is_full(error) is full


def test_the_error_says_where_and_how_to_go_on(tmp_path):
    named = OSError(errno.ENOSPC, "No space left on device", "/data/result.json")
    assert str(full_disk(named, tmp_path / "dam-1a2b")).startswith("/data/result.json: no space")
    said = str(full_disk(RuntimeError("disk is full"), tmp_path / "dam-1a2b"))
    assert said.startswith(str(tmp_path / "dam-1a2b"))
    assert said.endswith("uda-study resume dam-1a2b")
