import os
import threading
import time

import pytest

from uda_study.data.prune import in_use, plan_pruning, remove
from uda_study.errors import InputError

DAY = 86_400


@pytest.fixture
def cache(tmp_path):
    """Four entries of about 64 kB, used 1 to 4 days ago, the oldest first by name."""
    now = time.time()
    for number in range(4):
        folder = tmp_path / ("images" if number % 2 else "labels") / f"e{number}"
        folder.mkdir(parents=True)
        (folder / "image.npy").write_bytes(b"x" * 65_536)
        os.utime(folder, (now - (4 - number) * DAY,) * 2)
    return tmp_path


def names(entries):
    return sorted(entry.folder.name for entry in entries)


def test_what_was_not_used_for_longest_goes_first(cache):
    pruning = plan_pruning(cache, keep=150_000)
    assert names(pruning.freed) == ["e0", "e1"]
    assert pruning.bytes_kept <= 150_000
    remove(cache, pruning)
    assert names(plan_pruning(cache, keep=10**9).kept) == ["e2", "e3"]
    assert names(plan_pruning(cache, keep=150_000).freed) == []


def test_a_small_old_entry_does_not_outlive_a_large_younger_one(cache):
    (cache / "images" / "e1" / "image.npy").write_bytes(b"x" * 1_000_000)
    os.utime(cache / "images" / "e1", (time.time() - 3 * DAY,) * 2)
    assert names(plan_pruning(cache, keep=600_000).freed) == ["e0", "e1"]


def test_what_was_unused_for_too_long_goes(cache):
    assert names(plan_pruning(cache, older_than=2.5 * DAY).freed) == ["e0", "e1"]
    assert names(plan_pruning(cache).freed) == []


def test_what_a_dead_process_left_half_written_goes_after_a_day(cache):
    for name, age in ((".old-1", 2 * DAY), (".new-1", 60)):
        folder = cache / "images" / name
        folder.mkdir()
        os.utime(folder, (time.time() - age,) * 2)
    pruning = plan_pruning(cache, keep=10**9)
    assert names(pruning.freed) == [".old-1"]
    remove(cache, pruning)
    assert not (cache / "images" / ".old-1").exists()
    assert (cache / "images" / ".new-1").exists()


def test_nothing_is_removed_while_a_study_reads(cache):
    pruning = plan_pruning(cache, keep=0)
    with in_use(cache), in_use(cache), pytest.raises(InputError, match="in use by a study"):
        remove(cache, pruning)
    assert names(plan_pruning(cache).kept) == ["e0", "e1", "e2", "e3"]
    remove(cache, pruning)
    assert names(plan_pruning(cache).kept) == []


def test_a_study_waits_for_a_pruning_that_is_going_on(cache, monkeypatch):
    order = []
    removing = threading.Event()

    def slow(folder):
        removing.set()
        time.sleep(0.2)
        order.append("removed")

    monkeypatch.setattr("uda_study.data.prune.shutil.rmtree", slow)
    pruning = plan_pruning(cache, keep=200_000)
    thread = threading.Thread(target=remove, args=(cache, pruning))
    thread.start()
    assert removing.wait(5)
    with in_use(cache):
        order.append("reads")
    thread.join()
    assert order == ["removed", "reads"]
