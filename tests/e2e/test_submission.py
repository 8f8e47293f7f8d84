"""A study on a cluster, from a laptop that comes and goes."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest
from tiny_study import STUDY
from token_head import free_ports, token_head

pytestmark = pytest.mark.ray

SMALL = (
    STUDY.replace("[g2, g5]", "[g2]")
    .replace("num_samples: 3", "num_samples: 1, max_concurrent_trials: 1")
    .replace("seeds: [1, 2]", "seeds: [1]")
    .replace("type: asha, grace_period: 2, reduction_factor: 2", "type: none")
    .replace("every: 2", "every: 20")
    .replace("  steps: 6", "  steps: 60")
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
    while not (found := condition()):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return found


def held_in_a_training(head, follower):
    """Halt the study's process after its first training and within another; return its id."""

    def is_within_one():
        done = len(events(head, "finished"))
        return 0 < done < len(events(head, "started"))

    def held():
        if not is_within_one():
            return None
        driver = driver_of(head)
        os.kill(driver, signal.SIGSTOP)
        if is_within_one():
            return driver
        os.kill(driver, signal.SIGCONT)
        return None

    return wait_for(held, follower)


def driver_of(head):
    """Return the id of the process that the submission has started on the head."""
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (place / "cmdline").read_bytes().split(b"\0")
            home = f"UDA_STUDY_HOME={head.home}".encode()
            if words[1:4] == [b"-m", b"uda_study", b"run"] and home in (
                place / "environ"
            ).read_bytes().split(b"\0"):
                return int(place.name)
    raise AssertionError("no study runs on the head")


def is_told_to_end(process):
    """Tell whether SIGTERM waits for a process that is halted."""
    status = Path(f"/proc/{process}/status").read_text()
    (pending,) = re.findall(r"^ShdPnd:\s*(\w+)$", status, re.MULTILINE)
    return bool(int(pending, 16) >> (signal.SIGTERM - 1) & 1)


def test_a_submitted_study_outlives_its_followers_is_stopped_resumes_and_comes_home(
    laptop, head, monkeypatch
):
    file = laptop.study_file(SMALL)
    record = laptop.json("run", file, "--cluster", head.url, "--detach", "--json")
    study = record["study"]
    assert record["submission"] == f"{study}-1"
    first = laptop.start("follow", study)
    driver = held_in_a_training(head, first)
    first.kill()
    first.communicate()
    (entry,) = laptop.json("status", "--json")
    assert entry["submitted"]["status"] == "RUNNING"
    second = laptop.start("follow", study)
    stop = laptop.start("stop", study)
    wait_for(lambda: is_told_to_end(driver), stop)
    os.kill(driver, signal.SIGCONT)
    _, err = stop.communicate(timeout=_PATIENCE_S)
    assert stop.returncode == 0, err
    out, err = second.communicate(timeout=_PATIENCE_S)
    assert second.returncode == 143, err
    # What the first follower had shown is shown again from its beginning, and the end is there.
    assert f"Running entrypoint for job {study}-1" in out
    assert "trainings done" in out
    assert f"uda-study resume {study}" in out
    done = [event["result"]["key"] for event in events(head, "finished")]
    # The runs of the study, of its cell, and of the training that was under way.
    assert states(head)["KILLED"] == 3
    assert states(head)["RUNNING"] == 0

    # Where the cluster keeps its copy is known here, so what it came to comes home.
    monkeypatch.setenv("UDA_STUDY_STORAGE", head.storage)
    out = laptop.run("resume", study, "--cluster", head.url)
    assert "goes on where it was left" in out
    assert "no_adaptation (lower bound)" in out
    finished = Counter(event["result"]["key"] for event in events(head, "finished"))
    assert set(finished.values()) == {1}
    assert set(done) < set(finished)
    assert set(states(head)) == {"FINISHED"}
    monkeypatch.delenv("UDA_STUDY_STORAGE")
    there, here = (
        [path.relative_to(home) for path in home.glob("studies/*/trials/*/model/*")]
        for home in (head.home, laptop.home)
    )
    assert sorted(there) == sorted(here) != []
    (table,) = laptop.json("leaderboard", study, "--format", "json")["tables"]
    assert "depth=g2 direction=mr->ct" in [row["cell"] for row in table["rows"]]


def test_a_cluster_is_looked_at_from_outside(laptop, head):
    found = {one["what"]: one for one in laptop.json("doctor", "--cluster", head.url, "--json")}
    assert [one for one in found.values() if not one["good"]] == []
    assert found["token"]["value"] == "is asked for"
    assert found["storage"]["value"] == f"{head.storage} from 1 machines"


def test_the_head_serves_its_runs(laptop, head):
    (port,) = free_ports(1)
    process = laptop.start("ui", "--cluster", head.url, "--port", str(port))
    try:
        said = process.stderr.readline()
        assert f"the head serves its runs to itself at port {port}" in said, said
        with urlopen(f"http://127.0.0.1:{port}/", timeout=_PATIENCE_S) as page:
            assert b"MLflow" in page.read()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 0
    deadline = time.monotonic() + _PATIENCE_S
    while is_listening(port):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_listening(port):
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


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
