"""``uda-study clean`` shows first, frees with --yes, and leaves alone what anything needs.

``retrain`` gives back what it took.
"""

import json
import os
import shutil
from pathlib import Path

import pytest
from one_training import Figure, make_home

from uda_study.engine import artifacts
from uda_study.engine.disk_space import bytes_of
from uda_study.engine.journal import Finished, Journal, Started
from uda_study.engine.lock import alone
from uda_study.study.trial import TrialResult
from uda_study.testing.fakes import STUDY, write_tiny_study

ONE_CELL = (
    STUDY.replace("[g2, g4]", "[g2]").replace("num_samples: 4", "num_samples: 1")
    + "baselines: []\n"
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A home with a finished study of one search trial; its confirmations are made up."""
    file = write_tiny_study(tmp_path_factory.mktemp("files"), ONE_CELL)
    home = make_home(tmp_path_factory.mktemp("home"), file, lambda study: study.first_trials[0])
    (folder,) = (home / "studies").iterdir()
    journal = Journal(folder / "journal.jsonl")
    (searched,) = [e.spec for e in journal.events() if isinstance(e, Started)]
    for seed in (0, 1):
        spec = type(searched)(**{**searched.to_json(), "kind": "confirm", "seed": seed})
        journal.write(Started(spec))
        journal.write(Finished(TrialResult(spec.key, "complete", 8)))
    return home


@pytest.fixture
def home(finished, tmp_path):
    # MLflow knows its artifacts by absolute paths.
    place = finished.with_name("moved")
    shutil.copytree(finished, place, symlinks=True)
    before = finished.with_name("kept")
    finished.rename(before)
    place.rename(finished)
    yield finished
    shutil.rmtree(finished)
    before.rename(finished)


@pytest.fixture
def folder(home):
    (study,) = (home / "studies").iterdir()
    return study


def trial(folder):
    (found,) = (folder / "trials").glob("*")
    return found


def items(ended):
    return {(item["study"], item["what"]): item["count"] for item in ended.json["items"]}


def test_nothing_goes_before_it_was_shown_and_asked_for(call, home, folder):
    checkpoints = trial(folder) / "checkpoints" / "000000008"
    checkpoints.mkdir(parents=True)
    (checkpoints / "state.pt").write_bytes(bytes(8192))
    draft = folder / ".123-study.yaml"
    draft.write_text("half")
    shown = call("clean", "--home", home)
    assert "checkpoints of finished trainings" in shown.out
    assert "drafts that a crash left" in shown.out
    assert "can be freed; --yes does it" in shown.err
    assert draft.exists()
    freed = call("clean", "--yes", "--json", "--home", home)
    assert items(freed) == {
        (folder.name, "checkpoints of finished trainings"): 1,
        (folder.name, "drafts that a crash left"): 1,
    }
    assert freed.json["bytes"] >= 8192
    assert not draft.exists()
    assert not (trial(folder) / "checkpoints").exists()
    assert items(call("clean", "--json", "--home", home)) == {}


def test_checkpoints_of_what_a_resume_takes_up_stay(call, home, folder):
    journal = Journal(folder / "journal.jsonl")
    spec = next(e.spec for e in journal.events() if isinstance(e, Started))
    cut = type(spec)(**{**spec.to_json(), "number": 7})
    journal.write(Started(cut))
    kept = folder / "trials" / cut.key / "checkpoints" / "000000002"
    kept.mkdir(parents=True)
    call("clean", "--yes", "--home", home)
    assert kept.is_dir()


def test_models_beyond_the_best_go_and_come_back_by_a_retraining(call, home, folder, monkeypatch):
    place = trial(folder)
    before = (place / "model" / "model.safetensors").read_bytes()
    scores = (place / "result.json").read_text()
    (attached,) = home.glob("mlartifacts/*/*/artifacts/model")
    assert items(call("clean", "--json", "--home", home)) == {}  # one model is among the best 3
    weight = bytes_of(home)
    freed = call("clean", "--keep-models", "0", "--yes", "--json", "--home", home).json
    assert [item["what"] for item in freed["items"]] == ["models beyond the best 0 of a cell"]
    assert not attached.exists()
    assert not (place / "model").exists()
    assert weight - bytes_of(home) >= freed["bytes"] - 4096 > 0
    assert (place / "result.json").read_text() == scores

    told = call("evaluate", folder.name, "--metric", "hd95", "--again", "--home", home)
    assert told.code == 2  # the made-up confirmations have no models, and nobody dropped them
    assert place.name not in told.err

    monkeypatch.setattr(artifacts, "curves_figure", lambda _: Figure())
    monkeypatch.setattr(artifacts, "overlay_figure", lambda *_: Figure())
    done = call("retrain", folder.name, place.name, "--json", "--home", home)
    assert done.json == {"study": folder.name, "retrained": [place.name]}
    assert (place / "model" / "model.safetensors").read_bytes() == before
    assert (place / "result.json").read_text() == scores
    assert (attached / "model.safetensors").read_bytes() == before
    assert not (folder / "retrained" / place.name).exists()
    again = call("retrain", folder.name, place.name, "--home", home)
    assert (again.code, "has its model" in again.err) == (2, True)
    assert call("retrain", folder.name, "0123", "--home", home).code == 2


def test_models_of_an_unfinished_study_stay(call, home, folder):
    lines = (folder / "journal.jsonl").read_text().splitlines(keepends=True)
    (folder / "journal.jsonl").write_text("".join(lines[:-1]))
    assert items(call("clean", "--keep-models", "0", "--json", "--home", home)) == {}
    ended = call("status", folder.name, "--json", "--home", home).json
    assert [one["missing"] for one in ended[0]["missing"]] == [1]


def test_a_running_study_and_what_studies_share_are_left_alone(call, home, folder):
    (folder / ".123-study.yaml").write_text("half")
    stage = home / "cache" / "stages" / ".draft-x-1"
    stage.mkdir()
    with alone(folder):
        ended = call("clean", "--yes", "--json", "--home", home)
    assert (ended.json["items"], ended.json["running"]) == ([], [folder.name])
    assert stage.is_dir()
    assert (folder / ".123-study.yaml").exists()


def stages(home):
    return {path.parent for path in (home / "cache" / "stages").glob("*/facts.json")}


def test_stages_of_other_code_or_of_no_study_go_and_those_in_use_stay(call, home, folder):
    (stage,) = stages(home)
    old = shutil.copytree(stage, stage.with_name("0" * 32))
    assert items(call("clean", "--json", "--home", home)) == {
        ("-", "shared stages of another version of the code"): 1
    }
    call("clean", "--yes", "--home", home)
    assert not old.exists()
    assert stage.is_dir()
    data = json.loads((folder / "data.json").read_text())
    for case in data["cases"].values():
        case["image"] = "other"
    (folder / "data.json").write_text(json.dumps(data))
    assert items(call("clean", "--json", "--home", home)) == {
        ("-", "shared stages of no study of this home"): 1
    }


def test_prepared_images_go_when_they_were_not_used_for_long(call, home):
    (image, *_) = (home / "cache" / "prepared" / "images").iterdir()
    os.utime(image, (0, 0))
    ended = call("clean", "--json", "--home", home)
    assert items(ended) == {("-", "prepared images"): 1}
    assert items(call("clean", "--unused-for", "36500d", "--json", "--home", home)) == {}
    call("clean", "--yes", "--home", home)
    assert not Path(image).exists()


def test_an_unknown_study_is_invalid_input(call, home):
    assert call("clean", "tyni", "--home", home).code == 2
