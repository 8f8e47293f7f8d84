"""The study's queue dressed as what Ray Tune asks for: a searcher, a scheduler, a stopper."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ray import cloudpickle
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper

from uda_study.engine.budget import Budget
from uda_study.engine.failures import Patience, explained
from uda_study.engine.job import Job
from uda_study.engine.journal import Failed, Finished, Journal, Reported, Started
from uda_study.engine.packing import share_of
from uda_study.engine.queue import WorkQueue
from uda_study.engine.retention import drop_models
from uda_study.engine.room import Granted, Room
from uda_study.engine.trial import ERROR, read_result, write_result
from uda_study.errors import TrainingError
from uda_study.study.runlog import RunLog, StudyStatus
from uda_study.study.trial import TrialResult, TrialSpec
from uda_study.training.checkpoint import CHECKPOINTS, CheckpointStore


@dataclass
class Foreman:
    """Stands between Ray Tune and the study: hands out work, writes down what became of it.

    ``halt`` names the reason once no further work may be handed out: ``interrupted``,
    ``terminated``, ``budget`` or ``failed``. ``watch`` is called after every event, for the
    progress display. ``trouble`` is an error of the foreman's own work, such as a full disk: Tune
    would take it for one of a training, so it is kept for whoever runs the study.
    """

    job: Job
    queue: WorkQueue
    journal: Journal
    log: RunLog
    params_of: Callable[[TrialSpec], dict[str, Any]]
    watch: Callable[[], None]
    halt: StudyStatus | None = None
    budget: Budget = field(default_factory=Budget)
    failures: list[TrialResult] = field(default_factory=list)
    specs: dict[str, TrialSpec] = field(default_factory=dict)
    latest: dict[str, tuple[int, dict[str, float]]] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    room: Room = field(default_factory=Room)
    waiting: list[TrialSpec] = field(default_factory=list)
    granted: dict[str, Granted] = field(default_factory=dict)
    patience: Patience = field(default_factory=Patience)
    trouble: Exception | None = None
    without_model: set[str] = field(default_factory=set)

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """Leave nothing behind: Tune pickles its parts for a restore that no study does."""
        return type(None), ()

    def halted(self) -> bool:
        """Tell whether no further work may be handed out; the budget is looked at here."""
        if self.budget.spent:
            self.halt = self.halt or "budget"
        return self.halt is not None

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Keep an error of what is done here from Tune; the study halts by it."""
        try:
            yield
        except Exception as error:
            self.trouble = self.trouble or error
            self.halt = self.halt or "failed"

    def start(self, trial_id: str) -> TrialSpec | None:
        """Return the next training for a trial of Tune, or None if there is none now."""
        spec = self.waiting.pop(0) if self.waiting else self.queue.next()
        granted = None if spec is None else self.room.grant(spec)
        if spec is not None and granted is None:
            # Nothing overtakes it: else what it needs would never be free at once.
            self.waiting.insert(0, spec)
            return None
        if spec is not None and granted is not None:
            self.granted[trial_id] = granted
            self.specs[trial_id] = spec
            self.budget.begin(spec.key, self.room.gpus_of(granted))
            self.journal.write(Started(spec))
            self.log.trial_started(spec, self.params_of(spec))
            self.watch()
        return spec

    def report(self, trial_id: str, step: int, scores: dict[str, float]) -> bool:
        """Take in a report and return whether the training is to stop early."""
        spec = self.specs.get(trial_id)
        if spec is None:
            return True  # given up, but begun again before Tune saw the study halt
        self.latest[spec.key] = step, scores
        self.journal.write(Reported(spec.key, step, scores))
        self.log.trial_reported(spec, step, scores)
        self.room.learn(spec, scores)
        stops = self.queue.reported(spec.key, step, scores)
        if stops:
            self.stopped.add(spec.key)
        self.watch()
        self.budget.charge(spec.key)
        # What it has learned is in its checkpoint now: out of budget, this is the moment to end.
        return stops or self.halted()

    def stumble(self, trial_id: str, error: BaseException) -> None:
        """Take in that an error ended a training's process; Tune begins it again unless it ends."""
        spec = self.specs.get(trial_id)
        if spec is None:
            return
        folder = self.job.trial_folder(spec.key)
        decision = self.patience.decide(spec.key, error)
        if decision.answer == "again":
            return
        folder.mkdir(parents=True, exist_ok=True)
        if decision.answer == "finished":
            # Begun again, it finds its result and ends at once.
            step, _ = self.latest.get(spec.key, (0, {}))
            write_result(folder, TrialResult(spec.key, "diverged", step, {}, decision.message))
        elif self.halt is None:
            self._leave(trial_id)
            (folder / ERROR).write_text(str(error))
            step, _ = self.latest.get(spec.key, (0, {}))
            self._fail(spec, TrialResult(spec.key, "failed", step, {}, decision.message))

    def finish(self, trial_id: str) -> None:
        """Take in the end of a training."""
        if trial_id not in self.specs:
            return  # given up before
        spec, given = self._leave(trial_id)
        folder = self.job.trial_folder(spec.key)
        self.job.home.mirror.pull(folder)
        result = read_result(folder)
        step, scores = self.latest.get(spec.key, (0, {}))
        if spec.key in self.stopped:
            result = TrialResult(spec.key, "pruned", step, scores)
        elif result is None and self.halt is not None:
            return  # cut off, not finished: a resume takes it up again
        elif result is None:
            result = TrialResult(spec.key, "failed", step, {}, "it ended without a result")
        self.room.learn(spec, result.scores)
        if self.room.deserves_more(spec, result, given):
            self.waiting.insert(0, spec)
            return
        if result.status == "failed":
            self._fail(spec, replace(result, message=explained(result.message or "")))
            return
        self.journal.write(Finished(result))
        CheckpointStore(folder / CHECKPOINTS, mirror=self.job.home.mirror).clear()
        self.queue.finished(result)
        self.log.trial_finished(spec, result, folder)
        drop_models(self.job, self.queue, self.log, spec.cell, self.without_model)
        self.watch()

    def _leave(self, trial_id: str) -> tuple[TrialSpec, Granted]:
        """Free what a training had, and stop charging it."""
        spec = self.specs.pop(trial_id)
        del self.granted[trial_id]
        self.budget.end(spec.key)
        return spec, self.room.give_back(spec)

    def _fail(self, spec: TrialSpec, result: TrialResult) -> None:
        """Stop the study; once the cause is mended, a resumed one does again what failed."""
        self.halt = self.halt or "failed"
        self.failures.append(result)
        self.journal.write(Failed(spec.key, result.message or ""))
        self.log.trial_finished(spec, result, self.job.trial_folder(spec.key))
        self.watch()


class QueueSearcher(Searcher):
    """Gives Tune the study's next training whenever it has room for one."""

    def __init__(self, foreman: Foreman) -> None:
        super().__init__(metric="step", mode="max")
        self.foreman = foreman

    def suggest(self, trial_id: str) -> Any:
        """Return the next training; None to be asked again later, FINISHED when all is done."""
        if self.foreman.halted():
            return Searcher.FINISHED
        with self.foreman.at_work():
            spec = self.foreman.start(trial_id)
            if spec is not None:
                granted = self.foreman.granted[trial_id]
                return {
                    "spec": spec.to_json(),
                    "share": share_of(self.foreman.job.spec.resources, granted.gpu),
                    "granted": asdict(granted),
                }
        over = self.foreman.queue.done or self.foreman.halt is not None
        return Searcher.FINISHED if over else None

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Pass on the end of a trial."""
        # What counts is what the training left in its folder; errors come to the scheduler first.
        del result, error
        with self.foreman.at_work():
            self.foreman.finish(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Store nothing: a study resumes from its journal."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: a study resumes from its journal."""


class QueueScheduler(FIFOScheduler):
    """Stops a training early when its cell's successive halving says so."""

    def __init__(self, foreman: Foreman) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.foreman = foreman

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Pass on a report and answer whether the trial goes on."""
        del tune_controller
        # Besides what was reported, Tune's results hold its own entries and the trial's config.
        scores = {
            name: float(value)
            for name, value in result.items()
            if "/" in name and not name.startswith("config/") and isinstance(value, int | float)
        }
        stops = False
        with self.foreman.at_work():
            stops = self.foreman.report(trial.trial_id, int(result["step"]), scores)
        return str(TrialScheduler.STOP if stops else TrialScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Pass on that an error ended a trial's process, before Tune begins it again."""
        del tune_controller
        with self.foreman.at_work():
            self.foreman.stumble(trial.trial_id, _error_of(trial))


class HaltStopper(Stopper):
    """Ends everything once the study is to halt."""

    def __init__(self, foreman: Foreman) -> None:
        self.foreman = foreman

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stop no single trial."""
        del trial_id, result
        return False

    def stop_all(self) -> bool:
        """Return whether the study is to halt now; out of budget, what runs goes on to a report."""
        foreman = self.foreman
        return foreman.halted() and not (foreman.halt == "budget" and foreman.specs)


def _error_of(trial: Any) -> BaseException:
    """Return the error that a trial of Tune has just had, by the files that Tune made of it.

    They are removed: Tune keeps those of the first error for a later one of another kind.
    """
    error: BaseException | None = None
    text = "Ray says nothing of its cause"
    if trial.error_file and os.path.exists(trial.error_file):
        text = Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
        os.unlink(trial.error_file)
    if trial.pickled_error_file and os.path.exists(trial.pickled_error_file):
        # Written a moment ago by this very process, into Ray's folder for this session.
        error = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
        os.unlink(trial.pickled_error_file)
    return error or TrainingError(text)
