"""Commands that restore a study, asked to restore somebody else's."""

import os
import stat

import pytest

from uda_study.engine import records
from uda_study.engine.job import Home
from uda_study.engine.setup import prepare_study
from uda_study.study.validate import load_study

SOMEBODY = 65533


@pytest.fixture
def study(study_file, tmp_path):
    """Return the folder of a study that has begun in ``home``."""
    home = Home(tmp_path / "home")
    study = prepare_study(load_study(study_file), home)
    folder = home.study(study.id)
    folder.mkdir(parents=True)
    records.write_study_files(folder, study.resolved, study.text, study.data)
    return folder


def content(folder) -> dict:
    return {
        path.relative_to(folder): (path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in folder.rglob("*")
        if not stat.S_ISDIR(path.lstat().st_mode)
    }


@pytest.mark.parametrize("command", ["run", "resume", "retry"])
@pytest.mark.parametrize("way", ["everybody", "somebody"])
def test_a_foreign_study_is_refused_and_nothing_is_written(call, study, study_file, command, way):
    if way == "somebody":
        if os.geteuid() != 0:
            pytest.skip("only root can give files to somebody else")
        os.chown(study, SOMEBODY, SOMEBODY)
        said = f"of user {SOMEBODY}, mode 0{study.stat().st_mode & 0o777:o}; run as that user"
    else:
        study.chmod(0o777)
        said = "mode 0777; if nobody has changed it: chmod o-w"
    before = content(study)
    ended = call(command, study_file if command == "run" else study.name, "--home", "home")
    assert ended.code == 2
    (line,) = [line for line in ended.err.splitlines() if line.startswith("uda-study: error: ")]
    assert f"{study} " in line
    assert said in line
    assert "Traceback" not in ended.err
    assert content(study) == before
