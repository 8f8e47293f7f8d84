"""A study of a cluster comes home, where it is looked at as if it had been run there."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from one_process import Machine

import uda_study
from uda_study.api.fetching import Fetched, fetch
from uda_study.engine.job import Home
from uda_study.engine.journal import JOURNAL
from uda_study.engine.records import RUNS
from uda_study.errors import InputError, StoreError
from uda_study.tracking.log import MlflowRunLog

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("no_pictures")]


@dataclass
class Cluster:
    home: Home
    study: str


def quiet(_: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def cluster(tiny, no_pictures, tmp_path_factory) -> Cluster:
    """A finished study at an address, and the home it was run in."""
    folder = tmp_path_factory.mktemp("cluster")
    home = Home(folder / "home", f"file://{folder}/there")
    home.create()
    outcome = Machine(log=MlflowRunLog(home.path)).go(tiny, home)
    assert outcome.status == "complete"
    return Cluster(home, outcome.study)


@pytest.fixture(scope="module")
def fetched(cluster, tmp_path_factory) -> tuple[Path, Fetched]:
    home = tmp_path_factory.mktemp("fetched")
    return home, fetch("tiny", home, cluster.home.shared, quiet)


def boards(cluster: Cluster, home: Path) -> tuple[list, list]:
    return tuple(
        uda_study.load(cluster.study, place).leaderboard().to_dict("records")
        for place in (cluster.home.path, home)
    )


def test_the_leaderboard_at_home_is_that_of_the_cluster(cluster, fetched):
    home, found = fetched
    assert (found.study, found.status, found.trials) == (cluster.study, "complete", {"complete": 4})
    theirs, ours = boards(cluster, home)
    assert str(ours) == str(theirs)
    theirs, ours = (uda_study.load("tiny", place).cases() for place in (cluster.home.path, home))
    columns = list(theirs.columns)
    one, other = (f.sort_values(columns).reset_index(drop=True) for f in (theirs, ours))
    pd.testing.assert_frame_equal(one, other)
    assert not (home / "cache").exists()


def test_a_model_is_promoted_and_predicts_at_home(cluster, fetched, tmp_path):
    home, _ = fetched
    study = uda_study.load("tiny", home)
    cell = study.leaderboard()["cell"][0]
    done = study.promote(cell, "boxes", force="one seed is enough here")
    held = [gate.name for gate in done.gates if not gate.passed]
    assert done.version is not None
    assert "round trip" not in " ".join(held)
    image = np.random.default_rng(0).normal(size=(16, 16, 3)).astype(np.float32)
    nib.Nifti1Image(image, np.diag([1.0, 1.0, 2.0, 1.0])).to_filename(tmp_path / "scan.nii.gz")
    model = uda_study.load_model("boxes@champion", home)
    found = model.predict(tmp_path / "scan.nii.gz", tmp_path / "out", tell=quiet)
    assert nib.load(found.files[0]).shape == image.shape


def test_fetching_again_changes_nothing(cluster, fetched):
    home, found = fetched
    runs = uda_study.load("tiny", home).runs()
    assert fetch("tiny", home, cluster.home.shared, quiet) == found
    again = uda_study.load("tiny", home).runs()
    assert again["run_id"].tolist() == runs["run_id"].tolist()
    assert again["end"].tolist() == runs["end"].tolist()


def test_a_copied_folder_gives_the_same(cluster, tmp_path):
    copy = tmp_path / "copied"
    shutil.copytree(cluster.home.study(cluster.study), copy)
    home = tmp_path / "home"
    found = fetch("tiny", home, copy, quiet)
    assert (found.study, found.status) == (cluster.study, "complete")
    theirs, ours = boards(cluster, home)
    assert str(ours) == str(theirs)
    trials = home / "studies" / cluster.study / "trials"
    assert len(list(trials.glob("*/model"))) == 4


def damaged(cluster: Cluster, tmp_path: Path) -> Path:
    copy = tmp_path / "copied"
    shutil.copytree(cluster.home.study(cluster.study), copy)
    return copy


def test_a_folder_with_links_is_refused(cluster, tmp_path):
    copy = damaged(cluster, tmp_path)
    (copy / "trials" / "link").symlink_to("/etc")
    with pytest.raises(InputError, match="plain files and folders only"):
        fetch("tiny", tmp_path / "home", copy, quiet)
    assert not (tmp_path / "home" / "studies").exists()


def test_a_journal_with_other_keys_is_refused(cluster, tmp_path):
    copy = damaged(cluster, tmp_path)
    journal = copy / JOURNAL
    result = '{"key": "../../escaped", "status": "complete", "step": 1, "scores": {}}'
    with journal.open("a") as file:
        file.write(f'{{"event": "finished", "result": {result}}}\n')
    with pytest.raises(StoreError, match="an entry of no training of this study"):
        fetch("tiny", tmp_path / "home", copy, quiet)
    assert not (tmp_path / "home" / "studies").exists()


def test_an_edited_study_is_refused(cluster, tmp_path):
    copy = damaged(cluster, tmp_path)
    file = copy / "study.yaml"
    file.write_text(file.read_text().replace("seed: 0", "seed: 7"))
    with pytest.raises(InputError, match="unknown study"):
        fetch(cluster.study, tmp_path / "home", copy, quiet)


def test_a_damaged_list_of_runs_is_named(cluster, tmp_path):
    copy = damaged(cluster, tmp_path)
    (copy / RUNS).write_text("{}")
    with pytest.raises(StoreError, match=f"{RUNS} is missing or damaged"):
        fetch("tiny", tmp_path / "home", copy, quiet)


def test_what_is_not_there_is_said(cluster, tmp_path):
    with pytest.raises(InputError, match="unknown study"):
        fetch("other", tmp_path / "home", cluster.home.shared, quiet)
    with pytest.raises(InputError, match="must be the folder of a study"):
        fetch("tiny", tmp_path / "home", tmp_path, quiet)
