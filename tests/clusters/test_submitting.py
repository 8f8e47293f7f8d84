from pathlib import Path

import pytest

from uda_study.clusters.jobs import RUNNING, SUCCEEDED, Job, entrypoint
from uda_study.clusters.shipping import Package
from uda_study.clusters.submitting import submit, wait_until_ended
from uda_study.errors import ClusterError, InputError
from uda_study.testing.fake_jobs import FakeJobs

WORDS = ["run", "study.yaml", "--cluster", "auto"]


@pytest.fixture
def package(tmp_path: Path) -> Package:
    (tmp_path / "constraints.txt").write_text("# all\nnumpy==2.1\nray==2.60.0\npytest==9.0\n")
    return Package(tmp_path)


def test_a_submission_is_named_after_its_study_and_counted(package):
    jobs = FakeJobs()
    assert submit(jobs, "dam-1a2b", WORDS, package) == "dam-1a2b-1"
    jobs.stop("dam-1a2b-1")
    assert submit(jobs, "dam-1a2b", WORDS, package) == "dam-1a2b-2"
    assert jobs.words == [WORDS, WORDS]
    assert jobs.pip == [(), ()]


def test_the_tenth_attempt_follows_the_ninth(package):
    jobs = FakeJobs(known={f"s-{n}": Job(f"s-{n}", SUCCEEDED, "s") for n in range(1, 11)})
    assert submit(jobs, "s", WORDS, package) == "s-11"


def test_a_study_that_runs_is_not_submitted_again(package):
    jobs = FakeJobs(known={"s-1": Job("s-1", RUNNING, "s"), "t-1": Job("t-1", SUCCEEDED, "t")})
    with pytest.raises(InputError, match=r"is being run on this cluster.*s-1.*uda-study follow s"):
        submit(jobs, "s", WORDS, package)
    assert submit(jobs, "t", WORDS, package) == "t-2"


def test_of_two_submissions_at_one_time_one_is_told_of_the_other(package):
    class Late(FakeJobs):
        def jobs(self):
            return []

    jobs = Late(known={"s-1": Job("s-1", RUNNING, "s")})
    with pytest.raises(InputError, match="is being run"):
        submit(jobs, "s", WORDS, package)


def test_pip_installs_what_is_pinned_and_needed_but_not_ray(package):
    jobs = FakeJobs()
    submit(jobs, "s", WORDS, package, install=True)
    assert jobs.pip == [["numpy==2.1"]]


def test_words_reach_the_command_as_they_are():
    assert entrypoint(["run", "a b.yaml"]) == "exec python -m uda_study run 'a b.yaml'"


def test_waiting_for_the_end_has_an_end():
    jobs = FakeJobs(known={"s-1": Job("s-1", RUNNING, "s")})
    with pytest.raises(ClusterError, match="has not ended after 3 s"):
        wait_until_ended(jobs, "s-1", 3.0, lambda *_: None)
    jobs.stop("s-1")
    assert wait_until_ended(jobs, "s-1", 3.0, lambda *_: None).ended
