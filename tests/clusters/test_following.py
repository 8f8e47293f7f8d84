import pytest

from uda_study.clusters import following
from uda_study.clusters.following import Follower, exit_code
from uda_study.clusters.jobs import FAILED, PENDING, RUNNING, STOPPED, SUCCEEDED, Job, Unreachable
from uda_study.errors import ClusterError
from uda_study.testing.fake_jobs import LOST, FakeJobs


class Clock:
    """Time that passes by waiting alone."""

    now = 0.0

    def pause(self, seconds: float) -> None:
        self.now += seconds
        assert self.now < 10 * following.PATIENCE_S, "it would wait for ever"

    def read(self) -> float:
        return self.now


def following_of(script) -> tuple[Follower, FakeJobs, list[str], list[str]]:
    jobs = FakeJobs(script, {"s-1": Job("s-1", PENDING, "s")}, {"s-1": ""})
    clock, shown, told = Clock(), [], []
    follower = Follower(jobs.reach, "s-1", shown.append, told.append, clock.pause, clock.read)
    return follower, jobs, shown, told


def test_a_log_is_shown_once_and_to_its_end():
    follower, _, shown, told = following_of(
        [(PENDING, "", None), (RUNNING, "one\n", None), (SUCCEEDED, "one\ntwo\n", 0)]
    )
    assert follower.follow().status == SUCCEEDED
    assert shown == ["one\n", "two\n"]
    assert told == []


def test_a_lost_line_is_opened_again_and_the_log_goes_on_where_it_was():
    follower, jobs, shown, told = following_of(
        [(RUNNING, "one\n", None), LOST, LOST, (SUCCEEDED, "one\ntwo\n", 0)]
    )
    assert follower.follow().status == SUCCEEDED
    assert "".join(shown) == "one\ntwo\n"
    assert jobs.opened == 3
    assert len(told) == 2
    assert "the job goes on" in told[0]
    assert told[1] == "connected again"


def test_following_ends_when_the_cluster_stays_out_of_reach():
    many = [LOST] * 1000
    follower, jobs, *_ = following_of([(RUNNING, "", None), *many])
    with pytest.raises(Unreachable):
        follower.follow()
    # Half an hour in pauses that grow to half a minute.
    assert following.PATIENCE_S / 30 < jobs.opened < following.PATIENCE_S / 20


def test_a_job_that_the_cluster_does_not_know_is_an_error():
    follower, jobs, *_ = following_of([])
    jobs.known.clear()
    with pytest.raises(ClusterError, match="does not know s-1"):
        follower.follow()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (SUCCEEDED, 0, 0),
        (FAILED, 1, 1),
        (FAILED, 2, 2),
        (FAILED, 3, 3),
        (FAILED, 4, 4),
        (FAILED, 143, 143),
        (FAILED, 137, 1),
        (FAILED, None, 1),
        (STOPPED, None, 143),
    ],
)
def test_how_a_job_ended_is_how_the_command_would_have(status, code, expected):
    assert exit_code(Job("s-1", status, "s", "", code)) == expected
