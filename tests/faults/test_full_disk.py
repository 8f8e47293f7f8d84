"""A disk that becomes full ends a study with one clear error and costs nothing that is finished."""

import errno
import os
import subprocess
from collections import Counter
from contextlib import suppress

import pytest
import stub_training

from uda_study.engine import disk, run
from uda_study.engine import journal as journal_module
from uda_study.engine.job import Home
from uda_study.engine.journal import Failed, Finished, Journal
from uda_study.engine.run import Options, run_study
from uda_study.errors import InputError, StoreError
from uda_study.testing.fakes import MemoryRunLog
from uda_study.tracking.log import MlflowRunLog
from uda_study.tracking.query import study_runs
from uda_study.tracking.store import open_store

ALL = 16


@pytest.fixture(autouse=True)
def no_ray(monkeypatch):
    monkeypatch.setattr(run, "_tune", stub_training.one_after_another)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def finished(study, home):
    events = Journal(home / "studies" / study.id / "journal.jsonl").events()
    return Counter(event.result.key for event in events if isinstance(event, Finished))


def full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_study_is_not_begun_on_a_disk_that_is_nearly_full(study, home, monkeypatch):
    monkeypatch.setattr(disk, "FLOOR_BYTES", 2**60)
    with pytest.raises(InputError, match="MiB of free space") as caught:
        run_study(study, Home(home), MemoryRunLog(), Options())
    assert str(home) in str(caught.value)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("at", [1, 2, 7, 23])
def test_a_journal_that_finds_no_room_is_whole_and_the_study_goes_on_later(
    study, home, monkeypatch, at
):
    fsync, count = os.fsync, 0

    def sometimes(number: int) -> None:
        nonlocal count
        count += 1
        if count >= at:
            raise full()
        fsync(number)

    with monkeypatch.context() as patch:
        patch.setattr(journal_module.os, "fsync", sometimes)
        # The checkpoints' own calls are not to be counted.
        patch.setattr(stub_training.CheckpointStore, "save", lambda *_: None)
        with pytest.raises(StoreError, match=r"journal\.jsonl: no space is left") as caught:
            run_study(study, Home(home), MemoryRunLog(), Options())
    assert f"uda-study resume {study.id}" in str(caught.value)
    path = home / "studies" / study.id / "journal.jsonl"
    assert path.read_bytes().count(b"\n") == at - 1
    assert at == 1 or path.read_bytes().endswith(b"\n")
    before = finished(study, home)
    log = MemoryRunLog()
    assert run_study(study, Home(home), log, Options()).status == "complete"
    assert before <= finished(study, home)
    assert set(finished(study, home).values()) == {1}
    assert len(log.finished) == ALL


@pytest.mark.parametrize("what", ["checkpoint", "result"])
def test_a_training_that_finds_no_room_is_no_failure_of_its_own(study, home, monkeypatch, what):
    target = {
        "checkpoint": "uda_study.training.checkpoint.torch.save",
        "result": "uda_study.engine.trial.write_whole",
    }[what]

    def no_room(*args: object) -> None:
        raise full()

    with monkeypatch.context() as patch:
        patch.setattr(target, no_room)
        outcome = run_study(study, Home(home), MemoryRunLog(), Options())
    assert outcome.status == "failed"
    (failure,) = outcome.failures
    assert "free some, then go on" in failure.message
    events = Journal(home / "studies" / study.id / "journal.jsonl").events()
    assert isinstance(events[-1], Failed)
    kept = list((home / "studies" / study.id / "trials" / failure.key / "checkpoints").glob("0*"))
    assert len(kept) == {"checkpoint": 0, "result": 2}[what]
    assert run_study(study, Home(home), MemoryRunLog(), Options()).status == "complete"
    assert len(finished(study, home)) == ALL


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs root that may mount a tmpfs")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_study_on_a_disk_that_is_full_goes_on_once_there_is_room(study, small_disk, monkeypatch):
    monkeypatch.setattr(disk, "FLOOR_BYTES", 2**20)
    monkeypatch.setattr("uda_study.tracking.writer.PAUSES", ())
    train, ballast, warned, begun = stub_training.train, small_disk / "ballast", [], 0

    def fills_the_disk(*args: object) -> None:
        nonlocal begun
        begun += 1
        if begun == 5:
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while file.write(b"x" * 4096):
                    pass
        train(*args)

    log = MlflowRunLog(small_disk, warn=warned.append)
    with monkeypatch.context() as patch:
        patch.setattr(stub_training, "train", fills_the_disk)
        with pytest.raises(StoreError, match="no space is left") as caught:
            run_study(study, Home(small_disk), log, Options())
    assert f"uda-study resume {study.id}" in str(caught.value)
    assert warned
    before = finished(study, small_disk)
    assert sum(before.values()) >= 3
    with pytest.raises(InputError, match="free space"):
        run_study(study, Home(small_disk), MlflowRunLog(small_disk), Options())
    ballast.unlink()
    assert run_study(study, Home(small_disk), MlflowRunLog(small_disk), Options()).status == (
        "complete"
    )
    ends = finished(study, small_disk)
    assert before <= ends
    assert (len(ends), set(ends.values())) == (ALL, {1})
    runs = study_runs(open_store(small_disk), study.id)
    assert len(runs) == ALL
    assert set(runs["status"]) <= {"complete", "pruned", "diverged"}
