"""What the commands say of a study that has begun: edits, extensions, what is to be retried."""

import json

import pytest

from uda_study.engine import records
from uda_study.engine.job import Home, Job
from uda_study.engine.journal import Failed, Finished, Journal, Started
from uda_study.engine.setup import Study, prepare_study
from uda_study.engine.trial import write_result
from uda_study.study.trial import TrialResult
from uda_study.study.validate import load_study
from uda_study.tracking.log import MlflowRunLog


@pytest.fixture
def begun(study_file, tmp_path) -> tuple[Job, Study]:
    home = Home(tmp_path / "home")
    study = prepare_study(load_study(study_file), home)
    job = Job(home, study.id, study.spec, study.preprocessing, study.data)
    job.folder.mkdir(parents=True)
    records.write_study_files(job.folder, study.resolved, study.text, study.data)
    return job, study


def test_a_changed_file_is_said_to_be_a_new_study_and_why(call, study_file, begun):
    _, study = begun
    same = call("plan", study_file, "--home", "home")
    assert "new study" not in same.out
    longer = call("plan", study_file, "--home", "home", "--set", "search.num_samples=9")
    assert f"is a new study, it differs from {study.id} in search.num_samples: 4 -> 9" in longer.out
    assert f"uda-study resume {study.id} --num-samples" in longer.out
    other = call("plan", study_file, "--home", "home", "--set", "search.seed=9")
    assert f"it differs from {study.id} in search.seed: 0 -> 9" in other.out
    assert "--num-samples" not in other.out


def test_the_leak_checks_are_shown_one_line_each(call, study_file):
    ended = call("plan", study_file, "--home", "home")
    lines = [line for line in ended.out.splitlines() if line.startswith("✓")][1:]
    assert [line.split(":")[0] for line in lines] == [
        "✓ subjects", "✓ images", "✓ test set", "✓ labels", "✓ test images", "✓ segmenting",
    ]  # fmt: skip
    document = call("plan", study_file, "--home", "home", "--json").json
    assert [check["passed"] for check in document["checks"]] == [True] * 6


@pytest.mark.parametrize(
    ("text", "rule"), [("4", "must be more than the 4"), ("many", "must be a whole number")]
)
def test_a_search_is_not_shortened(call, begun, text, rule):
    job, _ = begun
    before = (job.folder / "study.yaml").read_bytes()
    ended = call("resume", "tiny", "--num-samples", text, "--home", "home")
    assert ended.code == 2
    assert f"--num-samples: {rule}" in ended.err
    assert (job.folder / "study.yaml").read_bytes() == before


@pytest.mark.parametrize("command", ["resume", "retry"])
def test_an_edit_that_changes_results_is_refused_with_a_diff(call, begun, command):
    job, _ = begun
    path = job.folder / "study.yaml"
    path.write_text(path.read_text().replace("grace_period: 2", "grace_period: 3"))
    ended = call(command, "tiny", "--home", "home")
    assert ended.code == 2
    assert "scheduler.grace_period: results depend on it" in ended.err
    assert "got 2 -> 3; put it back" in ended.err
    assert ended.err.startswith("uda-study: error: study.yaml:")


def test_only_what_went_wrong_is_retried(call, begun):
    job, study = begun
    ended = call("retry", "tiny", "--home", "home")
    assert (ended.code, "has nothing to retry, got all went well" in ended.err) == (2, True)
    journal = Journal(job.folder / "journal.jsonl")
    spec = study.baselines[0]
    journal.write(Started(spec))
    journal.write(Finished(TrialResult(spec.key, "diverged", 2)))
    ended = call("retry", "tiny", "--failed", "--home", "home")
    assert ended.code == 2
    assert "has nothing to retry, got 1 diverged; --diverged does them again" in ended.err


def test_the_status_tells_what_went_wrong_and_how_often_it_was_tried(call, begun, tmp_path):
    job, study = begun
    log = MlflowRunLog(tmp_path / "home")
    log.open(study.id, job.folder, study.all_cells, study.tags)
    journal = Journal(job.folder / "journal.jsonl")
    spec = study.baselines[0]
    for _ in range(2):
        journal.write(Started(spec))
        journal.write(Failed(spec.key, "ValueError: no"))
    job.trial_folder(spec.key).mkdir(parents=True)
    result = TrialResult(spec.key, "failed", 0, {}, "ValueError: no")
    write_result(job.trial_folder(spec.key), result)
    log.trial_started(spec, {})
    log.trial_finished(spec, result, job.trial_folder(spec.key))
    log.close("failed")
    shown = call("status", "tiny", "--home", "home").out.splitlines()
    assert shown[2].endswith("search trials not done")
    assert shown[:2] == [
        f"{study.id}   1 failed",
        f"  failed: {spec.cell}, seed 0 ({spec.key}, 2 attempts): ValueError: no",
    ]
    (entry,) = json.loads(call("status", "tiny", "--json", "--home", "home").out)
    assert entry["faults"] == [
        {"key": spec.key, "fault": "failed", "attempts": 2, "message": "ValueError: no"}
    ]
