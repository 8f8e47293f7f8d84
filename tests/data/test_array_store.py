import json

import numpy as np
import pytest

from uda_study.data import store
from uda_study.data.store import content_sha256, install, is_whole, write_array
from uda_study.errors import StoreError


def test_checksums_are_remembered_while_the_file_is_unchanged(tmp_path, monkeypatch):
    path, memo = tmp_path / "a.nii", tmp_path / "memo"
    path.write_bytes(b"first")
    content_sha256(path, "a", memo)
    assert not memo.exists(), "a file changed just now may change again"
    monkeypatch.setattr(store, "_SETTLED_SECONDS", -1)
    first = content_sha256(path, "a", memo)
    (note,) = memo.iterdir()
    assert str(tmp_path) not in note.read_text()
    stamp, _ = json.loads(note.read_text())
    note.write_text(json.dumps([stamp, "remembered"]))
    assert content_sha256(path, "a", memo) == "remembered"
    path.write_bytes(b"other")
    assert content_sha256(path, "a", memo) not in (first, "remembered")
    note.write_text("{broken")
    assert len(content_sha256(path, "a", memo)) == 64


def test_whole_arrays_have_their_shape_type_and_size(tmp_path):
    path = tmp_path / "a.npy"
    write_array(path, np.zeros((2, 3), np.float32))
    assert is_whole(path, (2, 3), np.float32)
    assert not is_whole(path, (3, 2), np.float32)
    assert not is_whole(path, (2, 3), np.uint8)
    assert not is_whole(tmp_path / "b.npy", (2, 3), np.float32)


def test_an_entry_that_another_process_finished_is_kept(tmp_path):
    folder = tmp_path / "entry"

    def write(scratch):
        folder.mkdir()
        (folder / "theirs").touch()
        (scratch / "ours").touch()

    install(folder, lambda: True, write)
    assert [path.name for path in folder.iterdir()] == ["theirs"]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_full_disk_is_a_store_error_and_leaves_nothing(tmp_path):
    def write(scratch):
        (scratch / "half").touch()
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="No space left"):
        install(tmp_path / "entry", lambda: False, write)
    assert list(tmp_path.iterdir()) == []
