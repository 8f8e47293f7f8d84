"""A study that began on one cluster goes on, on another that shares no folder with it."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from interrupting_run import __file__ as interrupting
from tiny_study_file import STUDY

pytestmark = pytest.mark.ray

PATIENCE_S = 300
ONE_AT_A_TIME = ("--set", "search.max_concurrent_trials=1")


def call(folder: Path, home: str, *words: str, code: int = 0, program=("-m", "uda_study")) -> str:
    """Run the command line; its workers have the environment of this process."""
    command = [sys.executable, *program, *words, "--home", str(folder / home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, cwd=folder)
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def events(home: Path, kind: str) -> list[dict]:
    (journal,) = home.glob("studies/*/journal.jsonl")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return [line for line in lines if line["event"] == kind]


def results(home: Path) -> dict[str, dict[str, float]]:
    """Return what every training came to, without what it took."""
    found = {}
    for event in events(home, "finished"):
        result = event["result"]
        scores = {n: v for n, v in result["scores"].items() if not n.startswith("cost/")}
        found[result["key"]] = {**result, "scores": scores}
    return found


@pytest.fixture(scope="module")
def study_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("study") / "tiny.yaml"
    path.write_text(STUDY)
    return path


def test_a_study_goes_on_in_another_home_and_comes_home_in_a_third(tmp_path, bucket, study_file):
    run = ("run", str(study_file), *ONE_AT_A_TIME)
    os.environ["UDA_STUDY_STORAGE"] = bucket.address
    call(tmp_path, "a", *run, code=4, program=(interrupting, "5"))
    print(sum(bucket.requests.values()), bucket.received)
    begun = [event["result"]["key"] for event in events(tmp_path / "a", "finished")]
    assert len(begun) == 5
    out = json.loads(call(tmp_path, "b", "resume", "tiny", "--json"))
    print(out)
    print(sum(bucket.requests.values()), bucket.received)
