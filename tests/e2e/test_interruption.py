"""What is finished is kept, the rest is taken up again."""

import json
import signal
import time
from collections import Counter

import pytest
from tiny_study import STUDY

pytestmark = pytest.mark.ray

LONG = STUDY.replace("steps: 6", "steps: 400").replace("every: 2", "every: 50")


def events(home, kind):
    (journal,) = home.glob("studies/*/journal.jsonl")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return [line for line in lines if line["event"] == kind]


def test_an_interrupted_study_is_closed_honestly_and_resumes(shell):
    process = shell.start("run", shell.study_file(LONG), "--set", "scheduler.type=none", "--json")
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        journals = list(shell.home.glob("studies/*/journal.jsonl"))
        if journals and len(events(shell.home, "finished")) >= 3:
            break
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 4, err
    outcome = json.loads(out)
    assert outcome["status"] == "interrupted"
    done = [event["result"]["key"] for event in events(shell.home, "finished")]
    assert len(done) == sum(outcome["trials"].values()) >= 3
    (entry,) = shell.json("status", "--json")
    assert "running" not in entry["trials"]
    assert entry["trials"].get("killed", 0) >= 1

    resumed = shell.json("resume", outcome["study"], "--json")
    assert resumed["status"] == "complete"
    keys = Counter(event["result"]["key"] for event in events(shell.home, "finished"))
    assert set(keys.values()) == {1}
    assert set(done) <= set(keys)
    assert len(keys) == sum(resumed["trials"].values()) == 2 * (3 + 2) + 2 * 2
    (entry,) = shell.json("status", "--json")
    assert entry["trials"] == {"complete": len(keys)}
