import errno
import pickle

import pytest
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    NodeDiedError,
    OutOfMemoryError,
    RayActorError,
    RayTaskError,
)
from ray.train.v2.api.exceptions import ControllerError, WorkerGroupError

from uda_study.engine.crew import MAX_LOSSES
from uda_study.engine.failures import Patience, causes, explained
from uda_study.errors import Diverged, TrainingError

MEMORY = "2 worker(s) were killed due to the node running low on memory. Refer to the manual."
DEATH = (
    "The actor died unexpectedly before finishing this task.\n\tclass_name: ImplicitFunc\n"
    "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR"
)
PREEMPTED = RayActorError("a", "gone", preempted=True)
FULL = OSError(errno.ENOSPC, "No space left on device", "/data/x")


def in_a_task(cause: Exception) -> RayTaskError:
    """Return the error as Ray brings it from another process."""
    error = RayTaskError("train", "Traceback ...", cause)
    return pickle.loads(pickle.dumps(error))


def in_a_group(*causes: Exception) -> WorkerGroupError:
    return WorkerGroupError("workers failed", dict(enumerate(causes)))


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (PREEMPTED, "preempted"),
        (in_a_task(PREEMPTED), "preempted"),
        (in_a_task(in_a_group(RuntimeError("connection reset"), PREEMPTED)), "preempted"),
        (NodeDiedError("the node is gone"), "node lost"),
        (RayActorError("a", "The actor died because its node has died. Node Id: 1"), "node lost"),
        (OutOfMemoryError(MEMORY), "out of memory"),
        (TrainingError(MEMORY), "out of memory"),
        (in_a_task(in_a_group(OutOfMemoryError(MEMORY), RuntimeError("peer"))), "out of memory"),
        (in_a_task(FULL), "disk full"),
        (RuntimeError("SafetensorError: No space left on device (os error 28)"), "disk full"),
        (in_a_task(Diverged("adapt", 7, "critic")), "diverged"),
        (RayActorError("a", DEATH), "process died"),
        (ActorDiedError(), "process died"),
        (ActorUnavailableError("no answer", None), "process died"),
        (in_a_task(in_a_group(RayActorError("a", DEATH), RuntimeError("x"))), "process died"),
        (in_a_task(ControllerError(RayActorError("a", DEATH))), "process died"),
        (in_a_task(KeyError("depth")), "bug"),
        (in_a_task(in_a_group(KeyError("depth"))), "bug"),
    ],
)
def test_the_cause_is_found_behind_what_ray_wraps_around_it(error, fault):
    assert Patience().decide("t", error).fault.name == fault


@pytest.mark.parametrize("error", [PREEMPTED, NodeDiedError("gone")])
def test_a_machine_that_is_taken_away_or_lost_costs_nothing(error):
    patience = Patience()
    answers = {patience.decide("t", error).answer for _ in range(20 * MAX_LOSSES)}
    assert answers == {"again"}
    # What counts is counted from its own beginning.
    assert patience.decide("t", ActorDiedError()).answer == "again"


@pytest.mark.parametrize("error", [RayActorError("a", DEATH), OutOfMemoryError(MEMORY)])
def test_a_process_that_dies_is_begun_again_so_often_and_no_further(error):
    patience = Patience()
    answers = [patience.decide("t", error).answer for _ in range(MAX_LOSSES + 1)]
    assert answers == ["again"] * MAX_LOSSES + ["stop"]
    assert patience.decide("another", error).answer == "again"


def test_deaths_of_two_causes_are_counted_apart():
    patience = Patience()
    for _ in range(MAX_LOSSES):
        assert patience.decide("t", OutOfMemoryError(MEMORY)).answer == "again"
        assert patience.decide("t", RayActorError("a", DEATH)).answer == "again"


def test_the_message_names_the_true_cause_and_the_remedy():
    patience = Patience()
    for _ in range(MAX_LOSSES):
        patience.decide("t", OutOfMemoryError(MEMORY))
    said = patience.decide("t", OutOfMemoryError(MEMORY)).message
    assert "ran out of memory" in said
    assert f"{MAX_LOSSES + 1} times" in said
    assert "search.max_concurrent_trials" in said
    died = patience.decide("t", RayActorError("a", DEATH)).message
    assert died.endswith("Worker exit type: SYSTEM_ERROR")
    assert "class_name" not in died


def test_a_divergence_finishes_a_training_and_a_bug_stops_the_study():
    patience = Patience()
    diverged = patience.decide("t", in_a_task(Diverged("adapt", 7, "critic")))
    assert (diverged.answer, diverged.message) == ("finished", str(Diverged("adapt", 7, "critic")))
    bug = patience.decide("t", in_a_task(KeyError("depth")))
    assert bug.answer == "stop"
    assert "KeyError" in bug.message


def test_a_full_disk_stops_the_study_with_the_remedy():
    decision = Patience().decide("t", in_a_task(FULL))
    assert decision.answer == "stop"
    assert "/data/x" in decision.message
    assert "free some" in decision.message
    assert "free some" in explained("OSError: [Errno 28] No space left on device: '/data/x'")
    assert explained("KeyError: 'depth'") == "KeyError: 'depth'"


def test_errors_that_refer_to_one_another_are_looked_at_once():
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert list(causes(one)) == [one, other]
