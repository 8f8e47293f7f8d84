"""A study on a cluster, from a laptop that comes and goes."""

import json
import sqlite3
import subprocess
import time
from collections import Counter

import pytest
from tiny_study import STUDY
from token_head import token_head

pytestmark = pytest.mark.ray

SMALL = (
    STUDY.replace("[g2, g5]", "[g2]")
    .replace("num_samples: 3", "num_samples: 2")
    .replace("seeds: [1, 2]", "seeds: [1]")
    .replace("type: asha, grace_period: 2, reduction_factor: 2", "type: none")
    .replace("every: 2", "every: 30")
    .replace("  steps: 6", "  steps: 150")
    .replace("parameters:", "baselines: [no_adaptation]\nparameters:")
)
_PATIENCE_S = 240


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    with token_head(tmp_path_factory.mktemp("head")) as head:
        yield head


@pytest.fixture
def laptop(shell, head, monkeypatch):
    """A command line with a home of its own that knows the cluster's token."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(head.token))
    return shell


def events(head, kind):
    found = list(head.home.glob("studies/*/journal.jsonl"))
    if not found:
        return []
    lines = [json.loads(line) for line in found[0].read_text().splitlines() if line]
    return [line for line in lines if line["event"] == kind]


def wait_for(condition, process):
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)


def test_a_submitted_study_outlives_its_followers_is_stopped_cleanly_and_resumes(laptop, head):
    file = laptop.study_file(SMALL)
    record = laptop.json("run", file, "--cluster", head.url, "--detach", "--json")
    study = record["study"]
    assert record["submission"] == f"{study}-1"
    (entry,) = laptop.json("status", "--json")
    assert entry["submitted"]["status"] in ("PENDING", "RUNNING")
    laptop.run("run", file, "--cluster", head.url, code=2)

    first = laptop.start("follow", study)
    wait_for(lambda: events(head, "reported"), first)
    first.kill()
    first.communicate()
    second = laptop.start("follow", study)
    laptop.run("stop", study)
    out, err = second.communicate(timeout=_PATIENCE_S)
    assert second.returncode == 143, err
    # What the first follower had shown is shown again from its beginning, and the end is there.
    assert f"Running entrypoint for job {study}-1" in out
    assert "trainings done" in out
    assert f"uda-study resume {study}" in out
    (entry,) = laptop.json("status", study, "--json")
    assert entry["submitted"]["status"] == "STOPPED"
    done = [event["result"]["key"] for event in events(head, "finished")]
    assert states(head)["KILLED"] >= 1
    assert states(head)["RUNNING"] == 0

    out = laptop.run("resume", study, "--cluster", head.url)
    assert "goes on where it was left" in out
    assert "no_adaptation (lower bound)" in out
    finished = Counter(event["result"]["key"] for event in events(head, "finished"))
    assert set(finished.values()) == {1}
    assert set(done) < set(finished)
    assert set(states(head)) == {"FINISHED"}
    # Whoever comes back later sees the leaderboard, too.
    assert "no_adaptation (lower bound)" in laptop.run("follow", study)


def states(head):
    """Count the runs of the cluster's MLflow by status."""
    with sqlite3.connect(head.home / "mlflow.db") as database:
        found = Counter(dict(database.execute("select status, count(*) from runs group by status")))
    database.close()
    return found


def test_a_stranger_is_turned_away(shell, head, monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    wrong = tmp_path / "wrong"
    wrong.write_text("0" * 64)
    wrong.chmod(0o600)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(wrong))
    process = shell.start("run", shell.study_file(SMALL), "--cluster", head.url)
    try:
        _, err = process.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 2
    assert "does not take the token" in err
    assert not (shell.home / "submissions").exists()
