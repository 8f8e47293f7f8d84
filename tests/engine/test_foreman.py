import errno
import pickle
from pathlib import Path

import pytest
from ray.exceptions import RayActorError, RayTaskError
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher
from simulation import STEPS, make_queue, scores_of

from uda_study.engine.crew import MAX_LOSSES
from uda_study.engine.journal import Failed, Finished, Journal, Reported, Started
from uda_study.engine.trial import write_result
from uda_study.engine.tuning import Foreman, QueueScheduler, QueueSearcher
from uda_study.errors import Diverged
from uda_study.study.trial import TrialResult, TrialSpec
from uda_study.testing.fakes import MemoryRunLog


class Trial:
    """What Tune's scheduler is given of a trial."""

    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id
        self.error_file: str | None = None
        self.pickled_error_file: str | None = None


class Tune:
    """Asks and tells in the order of a Tune run, one trial after another, without any process."""

    def __init__(self, foreman: Foreman) -> None:
        self.foreman = foreman
        self.searcher = QueueSearcher(foreman)
        self.scheduler = QueueScheduler(foreman)
        self.count = 0

    def begin(self) -> tuple[str, TrialSpec] | object:
        trial_id = str(self.count)
        self.count += 1
        config = self.searcher.suggest(trial_id)
        if not isinstance(config, dict):
            return config
        return trial_id, TrialSpec.from_json(config["spec"])

    def report(self, trial_id: str, step: int, scores: dict[str, float]) -> bool:
        result = {"step": step, "training_iteration": 1, "config": {}, **scores}
        decision = self.scheduler.on_trial_result(None, Trial(trial_id), result)
        return decision == TrialScheduler.STOP

    def stumble(self, trial_id: str, error: Exception | str) -> None:
        """Leave the files that Tune makes of an error; it has no pickle of every error."""
        trial, folder = Trial(trial_id), self.foreman.journal.path.parent
        trial.error_file = str(folder / "error.txt")
        with Path(trial.error_file).open("a") as file:
            file.write(f"Failure # 1\n{error}\n")
        # As Tune does, the name stays when a later error is of a kind that is not pickled.
        trial.pickled_error_file = str(folder / "error.pkl")
        if not isinstance(error, str):
            Path(trial.pickled_error_file).write_bytes(pickle.dumps(error))
        self.scheduler.on_trial_error(None, trial)

    def train(self, trial_id: str, spec: TrialSpec) -> None:
        for step in STEPS:
            if self.report(trial_id, step, scores_of(spec, step)):
                break
        else:
            self.leave(spec, "complete")
        self.searcher.on_trial_complete(trial_id)

    def leave(self, spec: TrialSpec, status) -> None:
        folder = self.foreman.job.trial_folder(spec.key)
        folder.mkdir(parents=True)
        scores = scores_of(spec, 8) if status == "complete" else {}
        write_result(folder, TrialResult(spec.key, status, 8, scores))


@pytest.fixture
def foreman(job, tmp_path) -> Foreman:
    journal = Journal(tmp_path / "journal.jsonl")
    return Foreman(job, make_queue(), journal, MemoryRunLog(), lambda _: {}, lambda: None)


def test_a_whole_study_is_written_down(foreman):
    tune = Tune(foreman)
    while (begun := tune.begin()) is not Searcher.FINISHED:
        tune.train(*begun)
    assert foreman.queue.done
    assert foreman.halt is None
    log, results = foreman.log, foreman.queue.results
    assert log.finished == results
    assert set(log.started) == set(results)
    assert {result.status for result in results.values()} == {"complete", "pruned"}
    replayed = make_queue()
    replayed.replay(foreman.journal.events())
    assert replayed.results == results
    assert replayed.done


def test_only_scores_are_passed_on(foreman):
    tune = Tune(foreman)
    trial_id, spec = tune.begin()
    tune.report(trial_id, 2, {"blind/score": 0.5})
    assert foreman.log.reports[spec.key] == {2: {"blind/score": 0.5}}
    assert foreman.journal.events() == [Started(spec), Reported(spec.key, 2, {"blind/score": 0.5})]


def test_a_failed_training_stops_the_study_and_is_not_journalled(foreman):
    tune = Tune(foreman)
    trial_id, spec = tune.begin()
    tune.leave(spec, "failed")
    tune.searcher.on_trial_complete(trial_id)
    assert foreman.halt == "failed"
    assert [failure.key for failure in foreman.failures] == [spec.key]
    assert foreman.log.finished[spec.key].status == "failed"
    assert tune.begin() is Searcher.FINISHED
    assert not any(isinstance(event, Finished) for event in foreman.journal.events())
    again = make_queue()
    again.replay(foreman.journal.events())
    assert again.next() == spec
    assert list(again.failures) == [spec.key]


def test_all_that_fail_before_the_study_stops_are_named(foreman):
    tune = Tune(foreman)
    begun = [tune.begin(), tune.begin()]
    for trial_id, spec in begun:
        tune.leave(spec, "failed")
        tune.searcher.on_trial_complete(trial_id)
    assert [failure.key for failure in foreman.failures] == [spec.key for _, spec in begun]
    assert {event.key for event in foreman.journal.events() if isinstance(event, Failed)} == {
        spec.key for _, spec in begun
    }


def test_a_process_that_died_too_often_is_a_failure_that_names_its_cause(foreman):
    tune = Tune(foreman)
    trial_id, spec = tune.begin()
    for _ in range(MAX_LOSSES):
        tune.stumble(trial_id, RayActorError("a", "Worker exit type: SYSTEM_ERROR"))
    assert foreman.halt is None
    tune.stumble(trial_id, RayActorError("a", "Worker exit type: SYSTEM_ERROR"))
    tune.searcher.on_trial_complete(trial_id, error=True)
    (failure,) = foreman.failures
    assert foreman.halt == "failed"
    assert failure.message == (
        "its process died 4 times without a word of its own; the last time: "
        "Worker exit type: SYSTEM_ERROR"
    )
    assert (foreman.job.trial_folder(spec.key) / "error.txt").read_text().endswith("SYSTEM_ERROR")
    assert [e for e in foreman.journal.events() if isinstance(e, Failed)] == [
        Failed(spec.key, failure.message)
    ]


def test_a_training_that_was_given_up_may_begin_once_more_before_the_study_halts(foreman):
    tune = Tune(foreman)
    trial_id, _ = tune.begin()
    tune.stumble(trial_id, RayTaskError("f", "Traceback", KeyError("depth")))
    assert "KeyError" in foreman.failures[0].message
    tune.stumble(trial_id, RayTaskError("f", "Traceback", KeyError("depth")))
    assert tune.report(trial_id, 2, {"blind/score": 0.5})
    tune.searcher.on_trial_complete(trial_id, error=True)
    assert len(foreman.failures) == 1
    assert foreman.trouble is None


def test_what_ray_says_in_words_alone_is_understood_and_then_forgotten(foreman):
    tune = Tune(foreman)
    trial_id, _ = tune.begin()
    for _ in range(MAX_LOSSES):
        tune.stumble(trial_id, "1 worker(s) were killed due to the node running low on memory")
        tune.stumble(trial_id, RayActorError("a", "gone", preempted=True))
    assert foreman.halt is None
    tune.stumble(trial_id, "1 worker(s) were killed due to the node running low on memory")
    assert "ran out of memory" in foreman.failures[0].message


def test_a_divergence_outside_of_the_training_is_its_result(foreman):
    tune = Tune(foreman)
    trial_id, spec = tune.begin()
    tune.report(trial_id, 2, {"blind/score": 0.5})
    tune.stumble(trial_id, RayTaskError("f", "Traceback", Diverged("adapt", 3, "critic")))
    assert foreman.halt is None
    tune.searcher.on_trial_complete(trial_id)
    assert foreman.queue.results[spec.key].status == "diverged"


def test_an_error_of_the_foremans_own_work_halts_the_study_and_is_kept(foreman, monkeypatch):
    tune = Tune(foreman)
    trial_id, _ = tune.begin()

    def full(event: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(foreman.journal, "write", full)
    assert not tune.report(trial_id, 2, {"blind/score": 0.5})
    assert (foreman.halt, foreman.trouble.errno) == ("failed", errno.ENOSPC)
    assert tune.begin() is Searcher.FINISHED


def test_what_an_interruption_cuts_off_is_neither_finished_nor_failed(foreman):
    tune = Tune(foreman)
    trial_id, spec = tune.begin()
    tune.report(trial_id, 2, {"blind/score": 0.5})
    foreman.halt = "interrupted"
    tune.searcher.on_trial_complete(trial_id)
    assert foreman.failures == []
    assert foreman.log.finished == {}
    assert tune.begin() is Searcher.FINISHED
    again = make_queue()
    again.replay(foreman.journal.events())
    assert again.next() == spec


def test_a_slot_waits_while_others_decide_what_comes_next(foreman):
    tune = Tune(foreman)
    begun = []
    while (found := tune.begin()) is not None:
        tune.report(found[0], 0, {})
        begun.append(found)
    assert len(begun) == 2 + 16 + 2  # confirmations are not known yet
    for trial_id, spec in begun:
        tune.train(trial_id, spec)
    assert tune.begin()[1].kind == "confirm"
