"""Train every method for a few steps twice: once as it is, once with noise for what is withheld."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from uda_study import plugins
from uda_study.engine.leak_checks.noise import Withheld, few_cases, noisy, withheld
from uda_study.engine.leak_checks.opened import opened_files
from uda_study.engine.leak_checks.short_training import Outcome, train_shortly
from uda_study.errors import LabelsWithheld
from uda_study.method import Method
from uda_study.study.checks import Check
from uda_study.study.trial import TrialSpec
from uda_study.training.task_data import TaskData

SECONDS = 1.0
"""Of the processor, in a short training: a stage that begins later is left out, and named."""

LABELS, IMAGES, FROZEN = "labels", "test images", "segmenting"


@dataclass
class _Findings:
    """What the short trainings showed: leaks by check, what was compared, what was left out."""

    leaks: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    methods: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    noise: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    left_out: dict[str, None] = field(default_factory=dict)


def trip(
    trials: Sequence[TrialSpec], data: Mapping[tuple[str, int], TaskData], seconds: float = SECONDS
) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """Return the checks of labels, test images and segmenting, and what they leave out.

    Of each method and direction the first trial is trained, on fold 0. A check that no method
    could be put to is not among those returned.
    """
    # The first optimiser of a process imports for seconds, which are no method's.
    torch.optim.SGD([torch.zeros(1, requires_grad=True)])
    started = time.monotonic()
    found = _Findings()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="uda-study-") as scratch, torch.random.fork_rng([]):
            firsts = {(t.method, t.direction): t for t in reversed(trials)}
            for number, trial in enumerate(reversed(firsts.values())):
                place = Path(scratch) / str(number)
                _Comparison(trial, data[trial.direction, 0], place, seconds).make(found)
    finally:
        torch.set_num_threads(threads)
    return tuple(_checks(found, time.monotonic() - started)), tuple(found.left_out)


@dataclass
class _Comparison:
    """One method on one direction, with and without what it must not depend on."""

    trial: TrialSpec
    data: TaskData
    scratch: Path
    seconds: float

    def make(self, found: _Findings) -> None:
        """Add what the comparison shows."""
        method, reads_labels = self.trial.method, self._reads_labels
        mine = _label_files(self.data, withheld(self.data, reads_labels))
        try:
            with opened_files() as opened:
                few, plain = self._plain()
        except LabelsWithheld as error:
            found.leaks[LABELS].append(f"{method} asks for labels: {error.problems[0]}")
            return
        except Exception as error:
            # The training itself will fail of it, and tell in full.
            found.left_out[f"{method} ({type(error).__name__} in its first steps)"] = None
            return
        if plain.left_out:
            stages = ", ".join(plain.left_out)
            found.left_out[f"{method} from stage {stages} on, for lack of time"] = None
        kept = withheld(few, reads_labels)
        if read := sorted(mine & opened):
            found.leaks[LABELS].append(f"{method} opens {len(read)} withheld label files")
        self._compare(found, few, plain, kept)
        found.methods[FROZEN].add(method)
        if not plain.frozen:
            found.leaks[FROZEN].append(f"{method} changes when it segments")

    @property
    def _reads_labels(self) -> bool:
        plugin: type[Method[Any]] = plugins.load("methods", self.trial.method, Method)
        return plugin.needs.target == "labels"

    def _plain(self) -> tuple[TaskData, Outcome]:
        """Train on few cases; on small patches where the method takes them."""
        small, own = few_cases(self.data, small=True), few_cases(self.data, small=False)
        if small.task != own.task:
            try:
                return small, train_shortly(self.trial, small, self.seconds)
            except LabelsWithheld:
                raise
            except Exception:
                pass  # some networks need patches of their own size
        return own, train_shortly(self.trial, own, self.seconds)

    def _compare(self, found: _Findings, few: TaskData, plain: Outcome, kept: Withheld) -> None:
        method = self.trial.method
        both = self._noisy(few, plain, "both", kept)
        suspects = []
        if not _equal(both, plain):
            none: frozenset[str] = frozenset()
            if not _equal(self._noisy(few, plain, "none", Withheld(none, none)), plain):
                found.left_out[f"{method} (two equal trainings give other weights)"] = None
                return
            of_labels = self._noisy(few, plain, "labels", Withheld(kept.labels, none))
            of_images = self._noisy(few, plain, "images", Withheld(none, kept.images))
            pairs = ((LABELS, of_labels), (IMAGES, of_images))
            suspects = [name for name, outcome in pairs if not _equal(outcome, plain)]
        for name, cases in ((LABELS, kept.labels), (IMAGES, kept.images)):
            if not cases:
                continue
            found.methods[name].add(method)
            found.noise[name] |= cases
            if name in suspects:
                found.leaks[name].append(f"{method} on {self.trial.direction} depends on them")

    def _noisy(self, few: TaskData, plain: Outcome, name: str, kept: Withheld) -> Outcome:
        data = noisy(few, kept.labels, kept.images, self.scratch / name)
        try:
            return train_shortly(self.trial, data, like=plain.steps)
        except Exception as error:
            # Where only the noise makes it fail, it has looked at the noise.
            return Outcome(repr(error), {}, plain.frozen, plain.steps)


def _equal(one: Outcome, other: Outcome) -> bool:
    return one.weights == other.weights and one.blind == other.blind


def _label_files(data: TaskData, kept: Withheld) -> set[Path]:
    """Return every file that holds a label of the withheld cases: prepared, and as it was given."""
    files: set[Path] = set()
    for name in kept.labels:
        prepared = data.prepared[name]
        files |= {Path(path).absolute() for path in prepared.case.labels}
        if prepared.label_folder is not None:
            files |= {path.absolute() for path in prepared.label_folder.iterdir()}
    return files


def _checks(found: _Findings, seconds: float) -> Iterator[Check]:
    said = {
        LABELS: "weights equal with noise in place of {n} withheld labels ({m}, {s:.1f} s)",
        IMAGES: "weights and blind scores equal with noise in place of {n} images",
        FROZEN: "changes no weight and no statistic ({m})",
    }
    for name, text in said.items():
        leaks = list(dict.fromkeys(found.leaks[name]))
        if leaks:
            yield Check(name, False, "; ".join(leaks))
        elif found.methods[name]:
            counted = len(found.noise.get(name, ()))
            yield Check(
                name, True, text.format(n=counted, m=_methods(len(found.methods[name])), s=seconds)
            )


def _methods(count: int) -> str:
    return f"{count} method" + "s" * (count > 1)
