"""A home with a study of which a single training was made, without Ray and without figures."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from uda_study.engine import artifacts, records
from uda_study.engine.job import Home, Job
from uda_study.engine.journal import Finished, Journal, Started
from uda_study.engine.setup import Study, prepare_study
from uda_study.engine.trial import run_trial
from uda_study.study.trial import TrialSpec
from uda_study.study.validate import load_study
from uda_study.tracking.log import MlflowRunLog
from uda_study.training.reporter import MemoryReporter


class Figure:
    def save(self, path: Path) -> None:
        """Draw nothing."""


def make_home(
    folder: Path,
    study_file: Path,
    pick: Callable[[Study], TrialSpec],
    text: Callable[[Study], str] = lambda study: study.text,
) -> Path:
    """Train what ``pick`` names, log it, and return the home; ``text`` is the file as written."""
    home = Home(folder)
    study = prepare_study(load_study(study_file), home)
    job = Job(home, study.id, study.spec, study.preprocessing, study.data)
    job.folder.mkdir(parents=True)
    records.write_study_files(job.folder, study.resolved, text(study), study.data)
    spec = pick(study)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr(artifacts, "curves_figure", lambda _: Figure())
        patch.setattr(artifacts, "overlay_figure", lambda *_: Figure())
        result = run_trial(spec, job, MemoryReporter(), torch.device("cpu"))
        journal = Journal(job.folder / "journal.jsonl")
        journal.write(Started(spec))
        journal.write(Finished(result))
        log = MlflowRunLog(home.path)
        log.open(study.id, job.folder, study.all_cells, study.tags)
        log.trial_started(spec, {})
        log.trial_finished(spec, result, job.trial_folder(spec.key))
        log.close("complete")
    return home.path
