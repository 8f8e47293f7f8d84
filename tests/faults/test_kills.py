"""What is left of a study whose process was killed, stopped, or not alone: all of it."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from kill_points import PLAN

pytestmark = pytest.mark.ray

HERE = Path(__file__).parent
ALL = {"cell FINISHED": 4, "training FINISHED": 16}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    # Real runs are tracked in the home that they are given.
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(
        [sys.executable, str(HERE / "fault_scenarios.py"), str(folder)],
        capture_output=True, text=True, timeout=400, check=False,
        env={**environment, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def without_places(board):
    """Return a leaderboard's values; where a picture lies is another place in every home."""
    if isinstance(board, dict):
        return {key: without_places(value) for key, value in board.items() if key != "overlays"}
    return [without_places(value) for value in board] if isinstance(board, list) else board


def test_the_study_was_killed_at_all_twenty_points(found):
    deaths = found["killed"]["deaths"]
    assert [tuple(death) for death in deaths] == [(point, -9) for point, _ in PLAN]
    assert len(deaths) == 20


def test_no_training_is_lost_or_doubled_by_twenty_kills(found):
    whole, killed = found["undisturbed"], found["killed"]
    assert len(whole["finished"]) == 16
    assert Counter(killed["finished"]) == Counter(whole["finished"])
    assert killed["rows"] == whole["rows"] == 16
    assert killed["states"] == whole["states"] == ALL


def test_a_kill_costs_at_most_what_follows_the_last_checkpoint(found):
    steps = [(key, step) for key, step in found["killed"]["trained"] if step is not None]
    again = [count - 1 for count in Counter(steps).values() if count > 1]
    # One interval where it was killed in a checkpoint, and perhaps where the log's thread died:
    # that one does not wait for the training. All else is kept.
    by_chance = sum(point in ("in the writer", "a run ends") for point, _ in PLAN)
    assert set(again) == {1}
    assert 1 <= len(again) <= 1 + by_chance
    assert set(steps) == {
        (key, step) for key, step in found["undisturbed"]["trained"] if step is not None
    }


def test_the_leaderboard_is_that_of_an_undisturbed_study_value_by_value(found):
    boards = [json.loads(found[name]["board"]) for name in ("undisturbed", "killed")]
    assert without_places(boards[0]) == without_places(boards[1])
    assert boards[0]["tables"][0]["rows"][0]["rank"] == 1


def test_mlflow_holds_every_score_and_every_step_of_an_undisturbed_study(found):
    whole, killed = found["undisturbed"], found["killed"]
    assert killed["runs"] == whole["runs"]
    assert killed["histories"] == whole["histories"]
    assert max(len(history) for history in whole["histories"].values()) >= 4


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 4), ("SIGTERM", 143)])
def test_a_study_that_is_told_to_end_says_so_at_once_and_goes_on(found, name, code):
    facts = found[name]
    assert facts["code"] == code
    assert facts["before"] == {"cell KILLED": 4, "training FINISHED": 1, "training KILLED": 1}
    assert facts["end"] == ALL


def test_after_a_kill_nothing_is_left_running_once_the_study_is_opened_again(found):
    facts = found["SIGKILL"]
    assert facts["code"] == -9
    assert not any(state == "training RUNNING" for state in facts["reconciled"])
    assert facts["reconciled"]["training KILLED"] >= 1
    assert facts["end"] == ALL


def test_four_processes_may_begin_in_a_new_home_at_once(found):
    facts = found["cold"]
    assert facts["codes"] == [0, 0, 0, 0]
    assert facts["states"] == {"cold-1": ALL, "cold-2": ALL}
    assert facts["spools"] == []
