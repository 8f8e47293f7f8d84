"""A real training whose disk becomes full: it raises, keeps what it had, and goes on later."""

import errno
import os

import pytest
import torch

from uda_study.engine import artifacts
from uda_study.engine.disk import is_full
from uda_study.engine.failures import Patience
from uda_study.engine.trial import read_result, run_trial
from uda_study.training.reporter import MemoryReporter

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch) -> None:
    class Figure:
        def save(self, path) -> None:
            """Draw nothing."""

    monkeypatch.setattr(artifacts, "curves_figure", lambda _: Figure())
    monkeypatch.setattr(artifacts, "overlay_figure", lambda *_: Figure())


@pytest.mark.parametrize(
    ("target", "at", "first"),
    [
        # The segmenter has a checkpoint of its own; the third one is the second of the adaptation.
        ("uda_study.training.checkpoint.torch.save", 3, 2),
        ("uda_study.training.stage_cache.save_weights", 1, 2),
        ("uda_study.engine.trial.write_whole", 1, 8),
    ],
)
def test_a_training_without_room_keeps_its_checkpoints_and_goes_on(
    make_spec, job, monkeypatch, target, at, first
):
    module, name = target.rsplit(".", 1)
    owner = torch if module.endswith("torch") else __import__(module, fromlist=[name])
    original, count = getattr(owner, name), 0

    def no_room(*args: object) -> object:
        nonlocal count
        count += 1
        if count >= at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(*args)

    spec, folder = make_spec(), job.trial_folder(make_spec().key)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, no_room)
        with pytest.raises(OSError, match="No space left") as caught:
            run_trial(spec, job, MemoryReporter(), CPU)
    assert Patience().decide(spec.key, caught.value).fault.name == "disk full"
    assert read_result(folder) is None
    assert not (folder / "error.txt").exists()
    # What did not fit is gone, so that the disk is not kept full by it.
    assert list(job.home.path.rglob(".draft*")) == []
    reporter = MemoryReporter()
    assert run_trial(spec, job, reporter, CPU).status == "complete"
    assert reporter.reports[0][0] == first
    assert not (folder / "checkpoints").exists()


def test_torch_hides_a_full_disk_behind_another_error(tmp_path):
    class Full:
        """A file on a disk without room."""

        def write(self, data: bytes) -> int:
            del data
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def flush(self) -> None:
            """Do nothing."""

    with pytest.raises((OSError, RuntimeError)) as caught:
        torch.save({"weights": torch.zeros(10)}, Full())
    assert is_full(caught.value)
