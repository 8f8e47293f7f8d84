import os
import re

import pytest

from uda_study.data import tree
from uda_study.dataset import DatasetInfo
from uda_study.errors import InputError
from uda_study.types import Case

INFO = DatasetInfo(
    summary="s", licence="l", citation="c", request="r", tree="a/<id>.nii\nb/<id>.nii"
)


def problems(call, *arguments, **named):
    with pytest.raises(InputError) as caught:
        call(*arguments, **named)
    return [str(problem) for problem in caught.value.problems]


def test_the_listing_has_two_levels_and_follows_no_link(tmp_path):
    deep = tmp_path / "root" / "one" / "two" / "three"
    deep.mkdir(parents=True)
    (tmp_path / "root" / ".hidden").write_text("")
    (tmp_path / "root" / "line\nbreak").write_text("")
    os.symlink(tmp_path, tmp_path / "root" / "up")
    os.symlink(tmp_path / "root", tmp_path / "link")
    expected = [".hidden", "line?break", "one/", "  two/", "up (a link)"]
    assert tree.found_below(tmp_path / "root") == expected
    assert tree.found_below(tmp_path / "link") == expected
    (tmp_path / "empty").mkdir()
    assert tree.found_below(tmp_path / "empty") == ["nothing"]


def test_the_listing_ends_after_twenty_entries(tmp_path):
    for number in range(20):
        (tmp_path / f"{number:02d}").write_text("")
    assert tree.found_below(tmp_path) == [f"{number:02d}" for number in range(20)]
    for number in range(20, 40):
        (tmp_path / f"{number:02d}").write_text("")
    assert tree.found_below(tmp_path)[20:] == ["..."]


def test_a_root_that_is_no_folder_is_refused_with_the_tree(tmp_path):
    (tmp_path / "file").write_text("")
    for root in (None, tmp_path / "file", tmp_path / "nowhere", tmp_path / ("n" * 300)):
        (problem,) = problems(tree.require_root, root, INFO)
        assert problem.startswith("data.root: ")
        assert problem.endswith("the folder that holds\n  a/<id>.nii\n  b/<id>.nii")
    assert tree.require_root(tmp_path, INFO) == tmp_path


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_named(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    assert "cannot be read (Permission denied)" in problems(tree.entries, closed)[0]
    assert tree.found_below(closed) == ["cannot be read (Permission denied)"]


def test_entries_are_sorted_and_hidden_ones_left_out(tmp_path):
    for name in ("b", "a", "._a"):
        (tmp_path / name).write_text("")
    (tmp_path / "c").mkdir()
    assert [path.name for path in tree.entries(tmp_path)] == ["a", "b", "c"]
    assert tree.folders(tmp_path) == [tmp_path / "c"]
    assert tree.entries(tmp_path / "a") == tree.folders(tmp_path / "none") == []


def test_a_compressed_file_is_expected_where_there_is_none(tmp_path):
    assert tree.nifti(tmp_path / "v1.2").name == "v1.2.nii.gz"
    (tmp_path / "v1.2.nii").write_text("")
    assert tree.nifti(tmp_path / "v1.2").name == "v1.2.nii"
    (tmp_path / "v1.2.nii.gz").write_text("")
    assert tree.nifti(tmp_path / "v1.2").name == "v1.2.nii.gz"


def test_files_match_by_their_whole_name_and_once(tmp_path):
    for name in ("x1.nii", "x2.nii", "x2.nii.gz", "ax3.nii", "x4.nii.bak"):
        (tmp_path / name).write_text("")
    (tmp_path / "x5.nii").mkdir()
    found, noted = tree.matching([tmp_path], re.compile(r"x(\d)\.nii(?:\.gz)?"))
    assert {key: path.name for key, path in found.items()} == {("1",): "x1.nii", ("2",): "x2.nii"}
    (twice,) = noted
    assert twice.value == f"{tmp_path}/x2.nii and {tmp_path}/x2.nii.gz"


def test_files_may_lie_in_a_folder_that_the_user_named(tmp_path):
    root, maps = tmp_path / "root", tmp_path / "maps"
    for folder in (root, maps):
        folder.mkdir()
    for file in (root / "image", maps / "label", tmp_path / "other"):
        file.write_text("")
    case = Case("c", "c", "d", (root / "image",), maps / "label")
    assert tree.sound_cases(root, INFO, [case], also=[maps]) == [case]
    (refused,) = problems(tree.sound_cases, root, INFO, [case])
    assert refused.startswith("c label: must lie below the root, links included, got ")
    (maps / "label").unlink()
    os.symlink(tmp_path / "other", maps / "label")
    (refused,) = problems(tree.sound_cases, root, INFO, [case], also=[maps])
    assert refused.startswith("c label: must lie below the root, links included, got ")


def test_masks_are_checked_and_ids_are_unique(tmp_path):
    (tmp_path / "image").write_text("")
    case = Case("c", "c", "d", (tmp_path / "image",), None, tmp_path / "mask")
    found = problems(tree.sound_cases, tmp_path, INFO, [case, case])
    assert found == [
        "c mask: no such file, got mask; copy it there or name c in the option leave_out"
    ] * 2 + ["c case: must be below the root once, got 2 times; remove the copies"]
    (both,) = problems(tree.sound_cases, tmp_path, INFO, [])
    assert "a/<id>.nii" in both
    assert "found there\n  image" in both
