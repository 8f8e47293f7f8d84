"""The main job from end to end: run, rank, promote, predict."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest

from uda_study.tracking.query import study_runs
from uda_study.tracking.store import open_store

pytestmark = pytest.mark.ray

CELL = "depth=g2 direction=mr->ct"


def test_a_study_with_two_train_workers_per_training_completes(finished):
    _, outcome = finished
    assert outcome["status"] == "complete"
    # Two cells of three search trials and two confirmations, and two baselines of two seeds.
    assert sum(outcome["trials"].values()) == 2 * (3 + 2) + 2 * 2
    assert outcome["trials"]["failed"] == outcome["trials"]["diverged"] == 0
    assert outcome["tracking_uri"].startswith("sqlite:///")
    expected = {"study", "status", "tracking_uri", "trials", "seconds", "missing"}
    assert set(outcome) == expected
    assert outcome["missing"] == []


def test_each_source_segmenter_was_trained_once(finished):
    shell, outcome = finished
    trials = shell.home / "studies" / outcome["study"] / "trials"
    results = [json.loads(path.read_text()) for path in trials.glob("*/result.json")]
    trained = sum(r["scores"].get("cost/shared_stages_trained", 0) for r in results)
    entries = list((shell.home / "cache" / "stages").glob("*/facts.json"))
    # The source with the search's seed and two more, the target with two.
    assert trained == len(entries) == 5


def test_the_leaderboard_keeps_its_contract(finished):
    shell, outcome = finished
    board = shell.json("leaderboard", outcome["study"], "--format", "json")
    assert board["study"] == outcome["study"]
    assert board["selected_by"].startswith("blind/")
    (table,) = board["tables"]
    assert table["dataset"] == "phantom"
    assert table["direction"] == "mr->ct"
    assert table["supervision"] == "images"
    ranked = [row for row in table["rows"] if row["role"] == "method"]
    assert {row["cell"] for row in ranked} == {CELL, CELL.replace("g2", "g5")}
    for row in ranked:
        assert row["method"] == "dam"
        assert row["factors"]["depth"] in {"g2", "g5"}
        assert (row["n_seeds"], row["trials"]) == (2, 3)
        dice = row["scores"]["dice"]
        assert 0 <= dice["mean"] <= 1
        assert len(dice["ci95"]) == 2
        assert {"sd_subjects", "sd_seeds"} <= set(dice)
        assert set(row["scores"]["js"]) == set(dice)
        assert row["oracle"]["gap"] <= 1
        assert row["hours"] > 0
    assert {row["role"] for row in table["rows"]} == {"method", "lower bound", "upper bound"}


def test_mlflow_holds_nested_runs_with_params_metrics_and_artifacts(finished):
    shell, outcome = finished
    client = open_store(shell.home)
    experiment = client.get_experiment_by_name(outcome["study"])
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    parents = {r.info.run_id for r in runs if "mlflow.parentRunId" not in r.data.tags}
    nested = [r for r in runs if "mlflow.parentRunId" in r.data.tags]
    assert len(parents) == 4
    assert {r.data.tags["mlflow.parentRunId"] for r in nested} == parents
    assert {r.info.status for r in runs} == {"FINISHED"}
    frame = study_runs(client, outcome["study"])
    confirmed = frame[frame["kind"] == "confirm"].iloc[0]
    params = client.get_run(confirmed["run_id"]).data.params
    assert {"depth", "optim.lr", "align.clip", "segmenter.name"} <= set(params)
    assert confirmed[["test/dice", "test/js", "oracle/dice", "blind/score"]].notna().all()
    names = {item.path for item in client.list_artifacts(confirmed["run_id"])}
    assert {"cases.csv", "curves.csv", "curves.png", "overlays.png", "model"} <= names
    study_level = {item.path for item in client.list_artifacts(next(iter(parents)))}
    assert {"study.yaml", "environment.txt", "data.json"} <= study_level


def test_a_promoted_model_segments_new_images_on_their_own_grids(finished, tmp_path):
    shell, outcome = finished
    promotion = shell.json(
        "promote", outcome["study"], "--cell", CELL, "--to", "skull", "--force", "a test", "--json"
    )
    assert promotion["version"] == 1
    passed = {gate["name"]: gate["passed"] for gate in promotion["gates"]}
    assert passed["round-trip predict"]
    assert passed["unsupervised selection"]
    source = next((shell.home / "cache" / "phantom").rglob("*ct*.nii.gz"))
    image = nib.load(source)
    turned = nib.as_closest_canonical(image).slicer[::-1, :, 1:]
    folder = tmp_path / "new"
    folder.mkdir()
    turned.to_filename(folder / "turned.nii.gz")
    out = tmp_path / "out"
    shell.run("predict", "-m", "skull@champion", "-i", str(folder), "-o", str(out))
    found = nib.load(out / "turned.nii.gz")
    assert found.shape == turned.shape
    assert np.allclose(found.affine, turned.affine)
    assert set(np.unique(found.get_fdata())) <= {0, 1}
    with (out / "volumes.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["skull_ml"]) >= 0


def test_a_second_run_of_a_finished_study_trains_nothing(finished):
    shell, outcome = finished
    again = shell.json("run", shell.study_file(), "--json")
    assert again["study"] == outcome["study"]
    assert again["status"] == "complete"
    assert again["trials"] == outcome["trials"]
    assert again["seconds"] < outcome["seconds"] / 3


def test_status_counts_the_trainings(finished):
    shell, outcome = finished
    (entry,) = shell.json("status", outcome["study"], "--json")
    assert sum(entry["trials"].values()) == sum(outcome["trials"].values())
