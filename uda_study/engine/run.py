"""Run a study from its file to its last confirmation, or take it up where it was left."""

from __future__ import annotations

import shutil
import signal
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ray import tune
from ray.tune.execution.placement_groups import resource_dict_to_pg_factory
from ray.tune.stopper import CombinedStopper

from uda_study.engine import cluster, records
from uda_study.engine.budget import USAGE, Budget
from uda_study.engine.disk import full_disk, is_full, require_space
from uda_study.engine.job import Home, Job
from uda_study.engine.journal import JOURNAL, Event, Finished, Journal, Reported
from uda_study.engine.leak_checks import check_leaks
from uda_study.engine.lock import alone
from uda_study.engine.packing import pack
from uda_study.engine.progress import Progress, ProgressMeter
from uda_study.engine.remaining import Done, Missing, missing
from uda_study.engine.retention import drop_models, tell_dropped
from uda_study.engine.room import Room
from uda_study.engine.setup import Study, build_queue
from uda_study.engine.shared_images import push_images
from uda_study.engine.shared_journal import open_journal
from uda_study.engine.shared_study import bring_trials, push_files
from uda_study.engine.shrunken import ShrunkenStopper
from uda_study.engine.tuning import Foreman, HaltStopper, QueueScheduler, QueueSearcher
from uda_study.engine.workers import train_in_trial, train_in_workers
from uda_study.study.cells import params_of
from uda_study.study.runlog import RunLog, StudyStatus
from uda_study.study.trial import TrialResult
from uda_study.training.checkpoint import CHECKPOINTS, CheckpointStore

STATUSES = ("complete", "pruned", "failed", "diverged")


@dataclass(frozen=True)
class Outcome:
    """How a run of a study ended; ``trials`` counts by status, those of earlier runs included.

    ``superseded`` counts confirmations of settings that a longer search no longer chose, and
    ``missing`` names what is not done.
    """

    study: str
    status: StudyStatus
    trials: dict[str, int]
    seconds: float
    failures: tuple[TrialResult, ...] = ()
    superseded: int = 0
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True)
class Options:
    """How to run, as opposed to what: the cluster, and who is told of the progress."""

    address: str | None = None
    cpus: int | None = None
    watch: Callable[[Progress], None] | None = None


def run_study(study: Study, home: Home, log: RunLog, options: Options) -> Outcome:
    """Train everything the study asks for and has not yet, and return how it ended.

    A study whose leak checks were not made yet is put to them first; `InputError` where one fails.
    SIGINT and SIGTERM end it cleanly: what is finished is kept, and running it again goes on.
    Raises `InputError` where the disk has too little room to start, `StoreError` where it becomes
    full.
    """
    started = time.monotonic()
    require_space(home.path)
    if not study.checks:
        study = check_leaks(study, Journal(home.study(study.id) / JOURNAL).events())
    job = Job(home, study.id, study.spec, study.preprocessing, study.data)
    path = job.folder / JOURNAL
    with alone(job.folder), _full_disks(job.folder), open_journal(home, path) as journal:
        records.write_study_files(job.folder, study.resolved, study.text, study.data, study.checks)
        records.write_runs(job.folder, study.all_cells, study.tags)
        push_files(home, study.id)
        events = journal.events()
        queue = build_queue(study)
        queue.replay(events)
        meter = ProgressMeter(
            queue,
            baselines=len(study.baselines),
            confirmations_per_cell=study.confirmations_per_cell,
            finished_before=len(queue.results),
        )

        def watch() -> None:
            if options.watch is not None:
                options.watch(meter.read())

        foreman = Foreman(job, queue, journal, log, params_of, watch)
        with _signals(foreman):
            log.open(study.id, job.folder, study.all_cells, study.tags)
            status: StudyStatus = "failed"
            try:
                bring_trials(home, study.id, queue.results)
                _repeat(foreman, events)
                if not queue.done and foreman.halt is None:
                    push_images(home, study.data)
                    _tune(foreman, options)
                if foreman.trouble is not None:
                    raise foreman.trouble
                status = "complete" if queue.done else foreman.halt or "complete"
            except KeyboardInterrupt:
                status = "interrupted"
                raise
            finally:
                log.close(status)
                records.write_runs(job.folder, study.all_cells, study.tags, status)
        push_files(home, study.id)
    counts = dict.fromkeys(STATUSES, 0)
    for result in queue.results.values():
        counts[result.status] += 1
    counts["failed"] += len(foreman.failures)
    return Outcome(
        study.id,
        status,
        counts,
        time.monotonic() - started,
        tuple(foreman.failures),
        len(queue.superseded()),
        missing(study.spec, study.cells, study.baseline_cells, Done(queue.specs, queue.results)),
    )


def _tune(foreman: Foreman, options: Options) -> None:
    spec = foreman.job.spec
    # Ray puts a handler of its own for SIGTERM in the place of ours, which aborts the process.
    with cluster.connect(options.address, options.cpus) as machine, _signals(foreman):
        wanted = spec.search.max_concurrent_trials
        packing = pack(spec.resources, machine, None if wanted == "auto" else wanted)
        usage, before = foreman.job.folder / USAGE, _seconds(foreman.queue.results)
        foreman.budget = Budget.of(spec.budget, usage, before * packing.gpus_per_training)
        room = Room(spec.resources, machine, None if wanted == "auto" else wanted, params_of)
        foreman.room = room
        for key, result in foreman.queue.results.items():
            room.learn(foreman.queue.specs[key], result.scores)
        train = train_in_workers if spec.resources.num_workers else train_in_trial
        scratch = foreman.job.folder / "ray"
        tuner = tune.Tuner(
            tune.with_resources(
                tune.with_parameters(train, job=foreman.job),
                lambda config: resource_dict_to_pg_factory(config["share"]),
            ),
            tune_config=tune.TuneConfig(
                search_alg=QueueSearcher(foreman),
                scheduler=QueueScheduler(foreman),
                num_samples=-1,
                max_concurrent_trials=room.at_once,
                # A process with torch in it, and with workers at hand, is worth keeping.
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name=uuid.uuid4().hex[:12],
                storage_path=str(scratch),
                stop=CombinedStopper(
                    HaltStopper(foreman), ShrunkenStopper(foreman, cluster.machine)
                ),
                # The foreman counts, by what went wrong, and halts the study when it is enough.
                failure_config=tune.FailureConfig(max_failures=-1),
                verbose=0,
            ),
        )
        tuner.fit()
    # What Tune wrote is not what a study resumes from.
    shutil.rmtree(scratch, ignore_errors=True)


def _seconds(results: Mapping[str, TrialResult]) -> float:
    """Return the seconds that the finished trainings took."""
    return sum(result.scores.get("cost/seconds", 0.0) for result in results.values())


def _repeat(foreman: Foreman, events: Sequence[Event]) -> None:
    """Do again what may not have been done to the end: the log is told what the journal knows."""
    specs, results, log = foreman.queue.specs, foreman.queue.results, foreman.log
    for key in results:
        log.trial_started(specs[key], params_of(specs[key]))
    for event in events:
        if isinstance(event, Reported) and event.key in specs:
            log.trial_reported(specs[event.key], event.step, event.scores)
    ended = {event.result.key for event in events if isinstance(event, Finished)}
    for key, result in results.items():
        folder = foreman.job.trial_folder(key)
        if key not in ended:
            # Its last report had it stopped, and nobody was left to say so.
            foreman.journal.write(Finished(result))
        checkpoints = CheckpointStore(folder / CHECKPOINTS, mirror=foreman.job.home.mirror)
        if checkpoints.folder.exists():
            checkpoints.clear()
        log.trial_finished(specs[key], result, folder)
        tell_dropped(log, specs[key], folder)
    for cell in foreman.queue.cells:
        drop_models(foreman.job, foreman.queue, log, cell, foreman.without_model)


@contextmanager
def _full_disks(folder: Path) -> Iterator[None]:
    """Turn whatever says that the disk is full into one `StoreError` with the remedy."""
    try:
        yield
    except Exception as error:
        if is_full(error):
            raise full_disk(error, folder) from error
        raise


@contextmanager
def _signals(foreman: Foreman) -> Iterator[None]:
    """Turn the first SIGINT, or any SIGTERM, into a clean halt; another SIGINT interrupts at once.

    Whoever sends SIGTERM may send it again while the study ends, and SIGKILL when that takes long.
    """

    def interrupt(number: int, frame: object) -> None:
        del number, frame
        if foreman.halt == "interrupted":
            raise KeyboardInterrupt
        foreman.halt = "interrupted"

    def terminate(number: int, frame: object) -> None:
        del number, frame
        foreman.halt = "terminated"

    handlers = {signal.SIGINT: interrupt, signal.SIGTERM: terminate}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
