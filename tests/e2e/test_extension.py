"""A finished study is searched further, and what failed is done again."""

import json
from collections import Counter
from pathlib import Path

import pytest
from tiny_study import STUDY

pytestmark = pytest.mark.ray

ONE_CELL = (
    STUDY.replace("[g2, g5]", "[g2]")
    .replace("num_samples: 3", "num_samples: 1")
    .replace("seeds: [1, 2]", "seeds: [1]")
    + "baselines: []\n"
)


def journal(home: Path, kind: str) -> list[dict]:
    (path,) = home.glob("studies/*/journal.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if line["event"] == kind]


def test_a_failed_study_is_retried_and_then_searched_further(shell):
    # A folder in the way of the cache's lock is an error that is in no code and can be mended.
    stages = shell.home / "cache" / "stages"
    stages.parent.mkdir(parents=True)
    stages.write_text("in the way")
    outcome = shell.json("run", shell.study_file(ONE_CELL), "--json", code=1)
    study = outcome["study"]
    assert (outcome["status"], outcome["trials"]["failed"]) == ("failed", 1)
    (entry,) = shell.json("status", study, "--json")
    (fault,) = entry["faults"]
    assert (fault["fault"], fault["attempts"]) == ("failed", 1)
    error = shell.home / "studies" / study / "trials" / fault["key"] / "error.txt"
    assert fault["message"].split(": ")[0] in error.read_text()

    stages.unlink()
    retried = shell.json("retry", study, "--failed", "--json")
    assert (retried["status"], retried["trials"]["complete"]) == ("complete", 2)
    assert not error.exists()
    assert [event["key"] for event in journal(shell.home, "failed")] == [fault["key"]]
    shell.run("retry", study, code=2)  # nothing is left to retry

    longer = shell.json("resume", study, "--num-samples", "+2", "--json")
    assert (longer["study"], longer["status"]) == (study, "complete")
    started = {line["spec"]["number"] for line in journal(shell.home, "started")
               if line["spec"]["kind"] == "search"}  # fmt: skip
    assert started == {0, 1, 2}
    ended = Counter(event["result"]["key"] for event in journal(shell.home, "finished"))
    assert set(ended.values()) == {1}
    assert sum(ended.values()) == sum(longer["trials"].values()) in (4, 5)
    shell.run("resume", study, "--num-samples", "2", code=2)
    checks = json.loads((shell.home / "studies" / study / "checks.json").read_text())
    assert {check["name"] for check in checks} >= {"subjects", "labels", "test images"}
