"""How a command ends, so that schedulers and scripts know what happened."""

import errno
import os
from typing import get_args

import pytest

from uda_study.cli import run
from uda_study.cli.console import reported_errors
from uda_study.study.runlog import StudyStatus


def test_every_way_in_which_a_study_ends_has_its_exit_code():
    codes = {"complete": 0, "failed": 1, "budget": 3, "interrupted": 4, "terminated": 143}
    assert codes == run._EXIT
    assert set(codes) == set(get_args(StudyStatus))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_line_and_a_failure(capsys, number):
    with pytest.raises(SystemExit) as caught, reported_errors():
        raise OSError(number, os.strerror(number), "/data/image.npy")
    assert caught.value.code == 1
    assert capsys.readouterr().err == (
        "uda-study: failed: /data/image.npy: no space is left; free some and try again\n"
    )


def test_other_errors_of_the_system_are_bugs_and_shown_whole():
    with pytest.raises(PermissionError), reported_errors():
        raise PermissionError(errno.EACCES, "Permission denied", "/data")
