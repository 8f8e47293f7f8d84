"""Names that would lead out of the folders they belong to."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from nibabel import Nifti1Image

from uda_study.datasets.bids import Bids, BidsOptions
from uda_study.engine.job import Home, Job
from uda_study.engine.journal import Finished, Journal, Retried
from uda_study.engine.retry import faulty, reopen_diverged
from uda_study.engine.setup import build_queue, prepare_study
from uda_study.errors import InputError
from uda_study.study.trial import TrialResult
from uda_study.study.validate import load_study
from uda_study.testing.fakes import STUDY
from uda_study.training.predict_inputs import find_inputs

OUT = "../../../elsewhere"


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/b", "..", ".", "a b", "'a\\0b'", "x" * 65])
def test_a_study_is_not_named_out_of_its_home(call, tmp_path, name):
    (tmp_path / "study.yaml").write_text(STUDY.replace("tiny", name, 1))
    ended = call("run", "study.yaml", "--home", "home")
    assert ended.code == 2
    assert "name" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


@pytest.mark.parametrize("command", ["resume", "retry", "leaderboard"])
def test_a_study_outside_of_the_home_is_unknown(call, tmp_path, command):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "study.yaml").write_text(STUDY)
    for name in ("../../elsewhere", str(tmp_path / "elsewhere")):
        ended = call(command, name, "--home", "home")
        assert ended.code == 2
        assert "study: unknown study" in ended.err
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["study.yaml"]


@pytest.mark.parametrize("linked", ["image", "label", "subject"])
def test_bids_trees_are_not_left_through_links(tmp_path, linked):
    root, outside = tmp_path / "bids", tmp_path / "outside"
    image = root / "sub-1" / "anat" / "sub-1_T1w.nii.gz"
    label = root / "derivatives" / "d" / "sub-1" / "anat" / "sub-1_dseg.nii.gz"
    for file in (image, label):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x")
    moved = {"image": image, "label": label, "subject": image.parents[1]}[linked]
    moved.rename(outside)
    os.symlink(outside, moved)
    with pytest.raises(InputError, match="must lie below the root, links included"):
        Bids(BidsOptions(domain="suffix"), root, tmp_path / "cache").cases()


@pytest.fixture
def study(study_file, tmp_path):
    home = Home(tmp_path / "home")
    study = prepare_study(load_study(study_file), home)
    job = Job(home, study.id, study.spec, study.preprocessing, study.data)
    job.folder.mkdir(parents=True)
    return study, job


def test_keys_of_a_journal_lead_nowhere(study, tmp_path):
    study, job = study
    made = study.first_trials[0]
    marked = tmp_path / "elsewhere" / "result.json"
    marked.parent.mkdir()
    marked.write_text(json.dumps({"key": OUT, "status": "failed", "step": 0, "message": "x"}))
    path = job.folder / "journal.jsonl"
    lines = [
        {"event": "started", "spec": {**made.to_json(), "kind": "search"}},
        {"event": "reported", "key": OUT, "step": 1, "scores": {"blind/score": 1.0}},
        {"event": "failed", "key": OUT, "message": "x"},
        {"event": "finished", "result": {"key": OUT, "status": "diverged", "step": 1}},
        {"event": "retried", "key": OUT},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    journal = Journal(path)
    queue = build_queue(study)
    queue.replay(journal.events())
    assert [spec.key for spec in queue.unfinished()] == [made.key]
    assert queue.results == {}
    folders = {job.trial_folder(key) for key in queue.specs}
    assert {folder.resolve().parent for folder in folders} == {(job.folder / "trials").resolve()}
    found = faulty([*journal.events(), Finished(TrialResult(OUT, "diverged", 1))], job.folder)
    reopen_diverged(journal, job.folder, found)
    assert OUT not in {one.spec.key for one in found}
    assert [event.key for event in journal.events() if isinstance(event, Retried)] == [OUT]
    assert marked.exists()


def test_a_key_is_what_a_training_is_and_not_what_is_written(study):
    study, _ = study
    given = study.first_trials[0].to_json() | {"cell": OUT, "study": OUT, "method": OUT}
    read = type(study.first_trials[0]).from_json(given)
    assert len(read.key) == 12
    assert set(read.key) <= set("0123456789abcdef")


def image_at(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)).to_filename(path)
    return path


@pytest.mark.parametrize("name", ["..nii", "...nii", "a\nb.nii", "-o.nii", "~.nii"])
def test_outputs_lie_in_the_folder_whatever_an_input_is_called(tmp_path, name):
    out = tmp_path / "out"
    (each,) = find_inputs([image_at(tmp_path / "in" / name)], 1, out)
    written = out / f"{each.name}{each.ending}"
    assert written.resolve().parent == out
    assert written.name not in (".", "..")


def test_a_folder_named_by_dots_gives_its_own_name(tmp_path):
    image_at(tmp_path / "case" / "scan_0000.nii")
    image_at(tmp_path / "case" / "scan_0001.nii")
    (tmp_path / "case" / "below").mkdir()
    (each,) = find_inputs([tmp_path / "case" / "below" / ".."], 2, tmp_path / "out")
    assert each.name in {"case", "scan"}
