"""Images in a bucket are fetched once, and then read as from any folder."""

from pathlib import Path

import pytest

from uda_study.engine.fetched_root import local_root
from uda_study.engine.job import Home
from uda_study.engine.setup import prepare_study
from uda_study.errors import InputError
from uda_study.study.cells import study_id
from uda_study.study.source import read_study
from uda_study.study.validate import load_study
from uda_study.testing.fakes import write_tiny_study


@pytest.fixture
def study_file(tmp_path, bucket):
    file = write_tiny_study(tmp_path / "written")
    for path in (tmp_path / "written").rglob("*"):
        if path.is_file() and path != file:
            bucket.put(f"images/{path.relative_to(tmp_path / 'written')}", path.read_bytes())
    text = file.read_text()
    moved = tmp_path / "study.yaml"
    moved.write_text(text.replace("root: .", f"root: {bucket.address}/images"))
    return moved


def test_a_study_of_a_bucket_is_that_of_the_folder_it_was_copied_from(study_file, bucket, tmp_path):
    there = load_study(study_file)
    here = load_study(tmp_path / "written" / "study.yaml")
    home = Home(tmp_path / "home")
    fetched, own = prepare_study(there, home), prepare_study(here, home)
    assert fetched.id == own.id
    (one,), (other,) = fetched.data.values(), own.data.values()
    assert {n: c.sha256 for n, c in one.prepared.items()} == {
        n: c.sha256 for n, c in other.prepared.items()
    }
    bucket.forget()
    prepare_study(there, home)
    assert bucket.requests["HEAD"] == 0
    assert bucket.requests["GET"] <= 2  # the list of files


def test_only_a_changed_file_is_fetched_again(bucket, tmp_path):
    root = Path(f"{bucket.address}/images")
    for name in ("a.nii", "sub/b.nii"):
        bucket.put(f"images/{name}", b"old")
    before = local_root(root, tmp_path)
    assert (before / "sub" / "b.nii").read_bytes() == b"old"
    bucket.put("images/a.nii", b"new one")
    bucket.forget()
    after = local_root(root, tmp_path)
    assert bucket.requests["HEAD"] == 1
    assert (after / "a.nii").read_bytes() == b"new one"
    assert (after / "sub" / "b.nii").read_bytes() == b"old"
    assert (before / "a.nii").read_bytes() == b"old"


def test_the_address_stays_in_the_studys_own_file(study_file, bucket, tmp_path):
    sourced = read_study(study_file)
    assert sourced.resolved["data"]["root"] == f"{bucket.address}/images"
    assert study_id(sourced.resolved) == study_id(load_study(study_file).resolved)


def test_an_address_without_files_is_refused(study_file, bucket, tmp_path):
    sourced = load_study(study_file, [f"data.root={bucket.address}/elsewhere"])
    with pytest.raises(InputError, match=r"data.root: holds no files.*elsewhere"):
        prepare_study(sourced, Home(tmp_path / "home"))


def test_names_that_lead_out_of_the_root_are_refused(study_file, bucket, tmp_path):
    bucket.put("images/../escaped.nii", b"x")
    if not any(".." in key for key in bucket.stored()):
        pytest.skip("the server has tidied up the name")
    with pytest.raises(InputError, match="no folder can have"):
        prepare_study(load_study(study_file), Home(tmp_path / "home"))
