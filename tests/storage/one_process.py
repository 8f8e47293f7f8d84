"""A study's driver and its trainings in one process, in the order of Tune, without Ray."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
import torch

from uda_study.engine import run
from uda_study.engine.job import Home
from uda_study.engine.run import Options, run_study
from uda_study.engine.setup import prepare_study
from uda_study.engine.shared_study import bring_study
from uda_study.engine.trial import run_trial
from uda_study.engine.tuning import Foreman
from uda_study.study.cells import study_id
from uda_study.study.source import SourcedStudy
from uda_study.testing.fakes import MemoryRunLog
from uda_study.training.reporter import Stopped


class Lost(BaseException):
    """The machine of the driver is gone."""


@dataclass
class Machine:
    """Runs studies; ``at`` is called after every training with how many there were."""

    at: Callable[[int], None] = lambda _: None
    trained: list[str] = field(default_factory=list)
    log: object = field(default_factory=MemoryRunLog)

    def go(self, sourced: SourcedStudy, home: Home):
        bring_study(home, study_id(sourced.resolved))
        study = prepare_study(sourced, home)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run, "_tune", self._tune)
            # Leak checks train for seconds, and say the same everywhere.
            patch.setattr(run, "check_leaks", lambda study, _: study)
            return run_study(study, home, self.log, Options())

    def _tune(self, foreman: Foreman, _: Options) -> None:
        self.foreman, number = foreman, 0
        while not foreman.halted() and (spec := foreman.start(str(number))) is not None:
            reporter = _Reporter(foreman, str(number))
            with suppress(Stopped):
                run_trial(spec, foreman.job, reporter, torch.device("cpu"))
            if reporter.reported:
                self.trained.append(spec.key)
            foreman.finish(str(number))
            number += 1
            self.at(number)


class _Reporter:
    def __init__(self, foreman: Foreman, trial_id: str) -> None:
        self.foreman, self.trial_id, self.reported = foreman, trial_id, False

    def report(self, step, scores) -> None:
        self.reported = True
        if self.foreman.report(self.trial_id, step, dict(scores)):
            raise Stopped
