"""Faults of real processes: the driver, a worker of Ray Train, a machine without memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tiny_study import STUDY

pytestmark = pytest.mark.ray

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "kills.py"
ONE = (
    "--set", "matrix={dam.depth: [g2], direction: [mr->ct]}", "--set", "baselines=[]",
    "--set", "search.num_samples=1", "--set", "confirm.seeds=[1]",
    "--set", "search.max_concurrent_trials=1",
)  # fmt: skip
DYING = """\
import os, signal, sys
from pathlib import Path
from uda_study.methods.dam import Dam


class Dying(Dam):
    '''Dies once, after a checkpoint, in the process that trains it.'''

    def updates(self, draw):
        marker = Path(os.environ["DYING_MARKER"])
        trains = "default_worker" in sys.argv[0]
        if trains and int(self.steps_done) == 4 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield from super().updates(draw)
"""


def events(home, kind):
    (journal,) = home.glob("studies/*/journal.jsonl")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return [line for line in lines if line["event"] == kind]


@pytest.fixture
def dying(tmp_path, monkeypatch):
    """Offer the method that dies, as another distribution would."""
    site = tmp_path / "site"
    facts = site / "dying-1.0.dist-info"
    facts.mkdir(parents=True)
    (site / "dying.py").write_text(DYING)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: dying\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[uda_study.methods]\ndying = dying:Dying\n")
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")
    monkeypatch.setenv("DYING_MARKER", str(tmp_path / "died"))
    return tmp_path / "died"


def test_a_real_study_survives_three_kills_and_the_loss_of_its_ray():
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), "3", "--small", "--term"],
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["kills"], found["complete"], found["trainings"]) == (3, True, 4)
    assert found["lost"] == found["doubled"] == found["rerun"] == found["left_running"] == 0
    assert found["leaderboard_equal"]
    assert found["cases_equal"]
    assert found["term"]["code"] == 143


def test_a_worker_that_dies_goes_on_from_its_checkpoint(shell, dying):
    text = STUDY.replace("method: dam", "method: dying").replace("dam.depth", "dying.depth")
    workers = ("--set", "resources.num_workers=2", "--set", "resources.cpu=0.5")
    one = (word.replace("dam.depth", "dying.depth") for word in ONE)
    outcome = shell.json("run", shell.study_file(text), *one, *workers, "--json")
    assert dying.exists()
    assert outcome["status"] == "complete"
    assert outcome["trials"]["complete"] == 2
    assert events(shell.home, "failed") == []
    steps = Counter((event["key"], event["step"]) for event in events(shell.home, "reported"))
    # Nothing before the checkpoint was done again; its report may have come twice.
    assert {step for _, step in steps} == {2, 4, 6}
    assert all(count == 1 for (_, step), count in steps.items() if step == 2)
    (entry,) = shell.json("status", "--json")
    assert entry["trials"] == {"complete": 2}


def test_a_machine_without_memory_is_named_after_a_few_attempts(shell, monkeypatch):
    monkeypatch.setenv("RAY_memory_usage_threshold", "0.01")
    process = shell.start("run", shell.study_file(), *ONE, "--json")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1, err
    assert json.loads(out)["trials"]["failed"] == 1
    (failed,) = events(shell.home, "failed")
    assert "the machine ran out of memory" in failed["message"]
    assert "4 times" in failed["message"]
    assert "search.max_concurrent_trials" in err
    (entry,) = shell.json("status", "--json")
    assert entry["trials"] == {"failed": 1}
    assert "ran out of memory" in entry["faults"][0]["message"]
