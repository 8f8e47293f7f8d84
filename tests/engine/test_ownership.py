"""A study is not resumed from what somebody else could have written."""

import os

import pytest

from uda_study.engine.ownership import refuse_foreign
from uda_study.errors import InputError

SOMEBODY = 65533
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to somebody else")


@pytest.fixture
def home(tmp_path):
    for place in ("studies/tiny-1/trials/0a1b/checkpoints/000000002", "cache/stages", "other"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "studies/tiny-1/journal.jsonl").touch()
    (tmp_path / "studies/tiny-1/trials/0a1b/result.json").touch()
    return tmp_path


@pytest.mark.parametrize(
    "place",
    [".", "studies", "studies/tiny-1", "studies/tiny-1/journal.jsonl", "studies/tiny-1/trials",
     "studies/tiny-1/trials/0a1b/checkpoints/000000002", "cache", "cache/stages"],
)  # fmt: skip
@pytest.mark.parametrize("way", ["0777", "0666", pytest.param("given", marks=root)])
def test_what_others_could_have_written_is_refused_with_owner_mode_and_remedy(home, place, way):
    refuse_foreign(home, "tiny-1")
    path = home / place
    if way == "given":
        os.chown(path, SOMEBODY, -1)
        path.chmod(0o700)
        rule, shown, remedy = "files of somebody else", f"{SOMEBODY}, mode 0700", "chown -R"
    else:
        path.chmod(int(way, 8) | (0o111 if path.is_dir() else 0))
        rule, shown, remedy = (
            "writable by everybody",
            f"mode 0{path.stat().st_mode & 0o777:o}",
            "o-w",
        )
    with pytest.raises(InputError) as caught:
        refuse_foreign(home, "tiny-1")
    (problem,) = caught.value.problems
    assert rule in problem.rule
    assert problem.value.startswith(f"{path} of user ")
    assert shown in problem.value
    assert remedy in problem.remedy
    assert str(path) in problem.remedy


def test_the_group_may_write_and_other_studies_do_not_matter(home):
    (home / "other").chmod(0o777)
    (home / "studies/tiny-2").mkdir()
    (home / "studies/tiny-2").chmod(0o777)
    for path in (home, home / "studies", home / "studies/tiny-1"):
        path.chmod(0o775)
    refuse_foreign(home, "tiny-1")
    with pytest.raises(InputError, match="writable by everybody"):
        refuse_foreign(home, "tiny-2")


def test_a_study_that_is_not_there_yet_is_no_problem(tmp_path):
    refuse_foreign(tmp_path / "new", "tiny-1")


def test_many_are_cut_to_a_few(home):
    for number in range(9):
        (home / f"studies/tiny-1/trials/{number}").mkdir()
        (home / f"studies/tiny-1/trials/{number}").chmod(0o777)
    with pytest.raises(InputError) as caught:
        refuse_foreign(home, "tiny-1")
    assert len(caught.value.problems) == 6
    assert "4 more" in caught.value.problems[-1].rule
