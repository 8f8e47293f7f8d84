"""What goes wrong inside a training is shown, and what is wrong with the input is said at once."""

import json

import pytest
from tiny_study import STUDY

pytestmark = pytest.mark.ray


def test_a_diverged_setting_is_counted_and_never_ranked(shell):
    text = STUDY.replace(
        "optim.lr: {type: float, low: 1e-5, high: 1e-3, log: true}",
        "optim.lr: {type: categorical, choices: [3e-4, 1e30]}",
    )
    one_cell = ("--set", "matrix={dam.depth: [g2], direction: [mr->ct]}", "--set", "baselines=[]")
    outcome = shell.json(
        "run", shell.study_file(text), *one_cell, "--set", "enqueue=[{optim.lr: 1e30}]", "--json"
    )
    assert outcome["status"] == "complete"
    assert outcome["trials"]["diverged"] >= 1
    board = shell.json("leaderboard", outcome["study"], "--json")
    (row,) = board["tables"][0]["rows"]
    assert row["scores"]["dice"]["mean"] is not None


def test_an_error_in_a_training_stops_the_study_and_names_the_cause(shell):
    process = shell.start(
        "run", shell.study_file(), "--set", "parameters.batch_size=3",
        "--set", "resources.num_workers=2", "--set", "resources.cpu=0.5", "--json",
    )  # fmt: skip
    out, err = process.communicate(timeout=600)
    assert process.returncode == 1, err
    outcome = json.loads(out)
    assert outcome["status"] == "failed"
    assert outcome["trials"]["failed"] == 1
    assert "batch_size" in err
