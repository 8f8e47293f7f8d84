import json
import socket
from collections.abc import Callable

import pytest

from uda_study.clusters import reach
from uda_study.clusters.jobs import RUNNING, SUCCEEDED
from uda_study.testing.fake_jobs import FakeJobs

URL = "http://127.0.0.1:8265"


@pytest.fixture
def cluster(monkeypatch) -> Callable[..., FakeJobs]:
    """Put a cluster that goes on by a script at every address; None for one that is gone."""

    def make(*script) -> FakeJobs:
        jobs = FakeJobs(list(script))
        monkeypatch.setattr(reach, "open_jobs", lambda *_, **__: jobs)
        return jobs

    return make


@pytest.fixture
def gone(monkeypatch) -> Callable[[], None]:
    def out_of_reach(*_, **__):
        raise reach.Unreachable("nothing answers")

    return lambda: monkeypatch.setattr(reach, "open_jobs", out_of_reach)


@pytest.fixture
def submitted(call, cluster, study_file) -> tuple[str, FakeJobs]:
    """A study that was left to a cluster."""
    jobs = cluster()
    ended = call("run", study_file, "--cluster", URL, "--detach", "--json")
    return ended.json["study"], jobs


def test_a_submission_is_followed_to_its_end_and_ends_as_it_did(call, cluster, study_file):
    cluster((RUNNING, "0/3 trainings done\n", None), (SUCCEEDED, "0/3 trainings done\nboard\n", 0))
    ended = call("run", study_file, "--cluster", URL)
    assert ended.code == 0
    assert ended.out == "0/3 trainings done\nboard\n"
    assert "no data" in ended.err


@pytest.mark.parametrize("code", [1, 2, 3, 4, 143])
def test_the_exit_code_is_the_jobs(call, cluster, study_file, code):
    cluster(("FAILED", "", code))
    ended = call("run", study_file, "--cluster", URL)
    assert ended.code == code
    assert ("uda-study resume" in ended.err) is (code != 2)


def test_settings_travel_in_the_study(call, cluster, study_file):
    jobs = cluster()
    words = ("--set", "search.num_samples=9", "--cluster", URL, "--detach", "--json")
    record = call("run", study_file, *words).json
    assert jobs.words == [["run", "study.yaml", "--cluster", "auto"]]
    assert "num_samples: 9" in jobs.files[record["submission"]]["study.yaml"]


def test_nothing_of_this_machines_environment_travels(call, cluster, study_file, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "hidden-token")
    jobs = cluster()
    call("run", study_file, "--cluster", URL, "--detach")
    (files,) = jobs.files.values()
    assert not [name for name, text in files.items() if "hidden-token" in text]


def test_an_invalid_study_is_refused_before_anything_travels(call, cluster, tmp_path):
    jobs = cluster()
    (tmp_path / "bad.yaml").write_text("version: 1\n")
    assert call("run", "bad.yaml", "--cluster", URL).code == 2
    assert jobs.known == {}
    assert not list(tmp_path.glob("uda-study-data/*"))


def test_a_study_that_runs_there_is_followed_not_submitted_again(call, submitted, study_file):
    study, jobs = submitted
    ended = call("run", study_file, "--cluster", URL)
    assert ended.code == 2
    assert f"uda-study follow {study}" in ended.err
    assert len(jobs.known) == 1


def test_a_study_that_runs_on_another_cluster_is_not_submitted(call, submitted, study_file):
    ended = call("run", study_file, "--cluster", "http://127.0.0.2:8265")
    assert ended.code == 2
    assert "is being run on another cluster" in ended.err


def test_status_shows_what_was_submitted_and_how_it_is(call, submitted):
    study, jobs = submitted
    jobs.script = [(RUNNING, "", None)]
    (entry,) = call("status", "--json").json
    assert entry["study"] == study
    assert entry["submitted"]["status"] == RUNNING
    assert f"{study}-1 running at {URL}" in call("status").out


def test_a_cluster_out_of_reach_is_shown_with_what_was_seen_last(call, submitted, gone):
    study, _ = submitted
    gone()
    out = call("status", study).out
    assert f"{study}-1 pending at {URL}   not reachable since 20" in out


def test_how_a_study_ended_stays_known_when_its_cluster_is_gone(call, submitted, gone):
    study, jobs = submitted
    jobs.script = [(SUCCEEDED, "", 0)]
    call("status")
    gone()
    assert f"{study}-1 succeeded" in call("status").out
    assert "not reachable" not in call("status").out


def test_stop_ends_the_job_and_says_how_to_go_on(call, submitted):
    study, jobs = submitted
    ended = call("stop", study)
    assert ended.code == 0
    assert f"uda-study resume {study} --cluster {URL}" in ended.err
    assert [job.status for job in jobs.jobs()] == ["STOPPED"]


def test_ctrl_c_leaves_the_job_and_says_how_to_come_back(call, submitted):
    study, jobs = submitted
    jobs.script = [KeyboardInterrupt()]
    ended = call("follow", study)
    assert ended.code == 4
    assert f"uda-study follow {study}" in ended.err
    assert [job.ended for job in jobs.jobs()] == [False]


def test_a_submitted_study_resumes_elsewhere_with_a_longer_search(call, submitted, cluster):
    study, _ = submitted
    assert call("resume", study).code == 2
    call("stop", study)
    other = cluster()
    words = ("--num-samples", "+2", "--cluster", "http://127.0.0.2:8265", "--detach", "--json")
    record = call("resume", study, *words).json
    assert record["study"] == study
    assert record["cluster"] == "http://127.0.0.2:8265"
    text = other.files[record["submission"]]["study.yaml"]
    assert "extended_from" in text
    # What was diverged is known where the journal lies.
    call("stop", study)
    assert call("retry", study, "--diverged", "--cluster", URL, "--detach").code == 0
    assert other.words[-1] == ["retry", study, "--diverged", "--cluster", "auto"]


def test_a_damaged_record_is_named(call, submitted, tmp_path):
    study, _ = submitted
    (record,) = tmp_path.glob("uda-study-data/submissions/*.json")
    record.write_text(json.dumps({"study": study}))
    ended = call("follow", study)
    assert ended.code == 1
    assert f"submissions/{study}.json: is damaged" in ended.err


def test_install_is_for_submissions_alone(call, study_file):
    ended = call("run", study_file, "--install")
    assert ended.code == 2
    assert "--install" in ended.err


def test_machines_and_studies_of_a_cluster_are_listed(call, submitted):
    study, _ = submitted
    out = call("cluster", "status", URL).out
    assert "head    10.0.0.1  alive  4 CPU  1 GPU  8 GiB" in out
    assert f"{study}  {study}-1  pending" in out


def test_an_address_where_nothing_listens_is_refused_at_once(call, study_file, tmp_path):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        ended = call("run", study_file, "--cluster", f"127.0.0.1:{bound.getsockname()[1]}")
    assert ended.code == 2
    assert "no Ray answers there" in ended.err
    assert not (tmp_path / "uda-study-data").exists()
