import os
from pathlib import Path

import pytest
import torch

from uda_study.errors import StoreError
from uda_study.training.checkpoint import CheckpointStore


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints")


def truncate(store: CheckpointStore, number: int) -> None:
    os.truncate(store.folder / f"{number:09d}" / "state.pt", 100)


def kept(store: CheckpointStore) -> list[int]:
    return sorted(int(p.name) for p in store.folder.iterdir() if p.name.isdigit())


def test_a_store_without_checkpoints_has_no_state(store):
    assert store.load() is None


def test_the_newest_state_comes_back_as_it_was_saved(store):
    store.save(5, {"weights": torch.arange(3.0), "rows": [("adapt", 1, "loss", 0.5)]})
    store.save(10, {"weights": torch.arange(4.0), "rows": []})
    assert torch.equal(store.load()["weights"], torch.arange(4.0))


def test_the_newest_ones_are_kept(store):
    for number in (1, 2, 3, 10):
        store.save(number, {"number": number})
    assert kept(store) == [3, 10]


def test_a_number_that_is_saved_again_is_replaced(store):
    store.save(1, {"value": 1})
    store.save(1, {"value": 2})
    assert store.load() == {"value": 2}


def test_a_truncated_checkpoint_falls_back_to_the_older_one(store):
    store.save(1, {"number": 1})
    store.save(2, {"number": 2})
    truncate(store, 2)
    assert store.load() == {"number": 1}


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"sha256": "0"}'])
def test_a_checkpoint_with_a_damaged_manifest_is_passed_over(store, text):
    store.save(1, {"number": 1})
    store.save(2, {"number": 2})
    (store.folder / f"{2:09d}" / "manifest.json").write_text(text)
    assert store.load() == {"number": 1}


def test_checkpoints_that_are_all_damaged_are_an_error(store):
    store.save(1, {"number": 1})
    store.save(2, {"number": 2})
    truncate(store, 1)
    truncate(store, 2)
    with pytest.raises(StoreError, match="all 2 checkpoints are damaged"):
        store.load()


def test_a_draft_that_a_crash_left_is_ignored(store):
    draft = store.folder / ".draft-000000002-4711"
    draft.mkdir(parents=True)
    (draft / "state.pt").write_bytes(b"half")
    assert store.load() is None
    store.save(1, {"number": 1})
    assert store.load() == {"number": 1}
    store.save(3, {"number": 3})
    assert kept(store) == [1, 3]


def test_a_crash_while_writing_leaves_the_older_one(store, monkeypatch):
    store.save(1, {"number": 1})

    def torn(state: object, file: object) -> None:
        file.write(b"half")
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", torn)
        with pytest.raises(OSError, match="no space"):
            store.save(2, {"number": 2})
    assert kept(store) == [1]
    assert store.load() == {"number": 1}


def test_clear_removes_everything(store):
    store.save(1, {"number": 1})
    store.clear()
    assert store.load() is None
    assert not store.folder.exists()
