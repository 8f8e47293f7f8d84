"""A spent budget ends a study cleanly, says what is missing, and is raised by a resume."""

import pytest
from tiny_study import STUDY

pytestmark = pytest.mark.ray

ONE_CELL = (
    STUDY.replace("[g2, g5]", "[g2]").replace("seeds: [1, 2]", "seeds: [1]")
    + "baselines: []\nbudget: {time: 1s}\ncheckpoint: {study_top_k: 1}\n"
)


def test_a_spent_budget_tells_what_is_missing_and_a_larger_one_goes_on(shell):
    # A second is over before the first process has imported torch.
    outcome = shell.json(
        "run", shell.study_file(ONE_CELL), "--set", "scheduler.type=none", "--json", code=3
    )
    assert outcome["status"] == "budget"
    study = outcome["study"]
    ended = sum(outcome["trials"].values())
    expected = [("search", 3 - ended, 3), ("confirm", 1, 1)]
    told = [(one["kind"], one["missing"], one["expected"]) for one in outcome["missing"]]
    assert told == [one for one in expected if one[1]]
    (entry,) = shell.json("status", study, "--json")
    assert entry["missing"] == outcome["missing"]
    assert "running" not in entry["trials"]

    shell.run("resume", study, "--set", "search.seed=5", code=2)
    resumed = shell.json("resume", study, "--set", "budget.time=1h", "--json")
    assert (resumed["study"], resumed["status"], resumed["missing"]) == (study, "complete", [])
    assert resumed["trials"]["complete"] == 4
    folder = shell.home / "studies" / study
    assert len(list(folder.glob("trials/*/model"))) == 2  # the best trial and the confirmation
    assert len(list(shell.home.glob("mlartifacts/*/*/artifacts/model"))) == 2
    assert len(list(folder.glob("trials/*/model-dropped.json"))) == 2
    assert not list(folder.glob("trials/*/checkpoints"))
