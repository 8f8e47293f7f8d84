"""A foreman driven as Tune drives it, with trainings that leave a result and a model."""

from dataclasses import replace

from simulation import STEPS, scores_of

from uda_study.engine.journal import Journal
from uda_study.engine.trial import write_result
from uda_study.engine.tuning import Foreman
from uda_study.study.trial import TrialResult
from uda_study.testing.fakes import MemoryRunLog


def keeping(job, **checkpoint):
    """Return the job of a study with other settings of ``checkpoint``."""
    section = job.spec.checkpoint.model_copy(update=checkpoint)
    return replace(job, spec=job.spec.model_copy(update={"checkpoint": section}))


def foreman_of(job, queue):
    job.folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(job.folder / "journal.jsonl")
    return Foreman(job, queue, journal, MemoryRunLog(), lambda _: {}, lambda: None)


def train(foreman, trial_id):
    """Do one training; return its spec, or None where there is none now."""
    spec = foreman.start(trial_id)
    if spec is None:
        return None
    for step in STEPS:
        if foreman.report(trial_id, step, scores_of(spec, step)):
            break
    else:
        leave(foreman.job, spec)
    foreman.finish(trial_id)
    return spec


def train_all(foreman):
    number = 0
    while not foreman.queue.done:
        train(foreman, str(number))
        number += 1


def leave(job, spec):
    folder = job.trial_folder(spec.key)
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "weights").write_text(spec.key)
    write_result(folder, TrialResult(spec.key, "complete", STEPS[-1], scores_of(spec, STEPS[-1])))
