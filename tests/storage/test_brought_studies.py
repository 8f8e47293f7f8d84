"""Which copy of a study's own files counts: the one here or the one at the address."""

import pytest

from uda_study.engine.edits import STUDY
from uda_study.engine.job import Home
from uda_study.engine.journal import JOURNAL
from uda_study.engine.shared_study import bring_study, push_files

ONE, TWO = b'{"event": "one"}\n', b'{"event": "two"}\n'


@pytest.fixture
def home(tmp_path) -> Home:
    """A home whose study is here and at the address, alike."""
    home = Home(tmp_path / "home", f"file://{tmp_path}/there")
    folder = home.study("s-1")
    folder.mkdir(parents=True)
    (folder / STUDY).write_text("first")
    (folder / JOURNAL).write_bytes(ONE)
    push_files(home, "s-1")
    home.mirror.write(folder / JOURNAL, ONE)
    return home


def test_files_that_are_newer_here_stay_where_the_journals_are_alike(home):
    folder = home.study("s-1")
    (folder / STUDY).write_text("written when the machine was lost")
    assert not bring_study(home, "s-1")
    assert (folder / STUDY).read_text() == "written when the machine was lost"


def test_a_longer_journal_there_comes_with_its_files(home):
    folder = home.study("s-1")
    home.mirror.write(folder / JOURNAL, ONE + TWO)
    (folder / STUDY).write_text("older")
    assert bring_study(home, "s-1")
    assert (folder / JOURNAL).read_bytes() == ONE + TWO
    assert (folder / STUDY).read_text() == "first"


def test_a_longer_journal_here_stays_with_its_files(home):
    folder = home.study("s-1")
    (folder / JOURNAL).write_bytes(ONE + TWO)
    (folder / STUDY).write_text("newer")
    assert not bring_study(home, "s-1")
    assert (folder / JOURNAL).read_bytes() == ONE + TWO
    assert (folder / STUDY).read_text() == "newer"


def test_files_that_are_missing_here_come(home):
    folder = home.study("s-1")
    (folder / STUDY).unlink()
    assert bring_study(home, "s-1")
    assert (folder / STUDY).read_text() == "first"
