"""Which trainings of a study are not done yet, told from its settings and its journal alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from uda_study.engine.edits import STUDY
from uda_study.engine.factor_order import stored_spec
from uda_study.engine.journal import JOURNAL, Event, Finished, Journal, Retried, Started
from uda_study.engine.records import DATA
from uda_study.study.cells import baseline_cells, baseline_trials, cells, num_trials
from uda_study.study.hyper import load_method
from uda_study.study.model import StudySpec
from uda_study.study.retention import ranked
from uda_study.study.trial import Cell, Kind, TrialResult, TrialSpec

_WORDS: Mapping[Kind, str] = {
    "search": "search trials", "confirm": "confirmations", "baseline": "baselines",
}  # fmt: skip


@dataclass(frozen=True)
class Missing:
    """Trainings of one cell and kind: how many are missing, of how many."""

    cell: str
    kind: Kind
    missing: int
    expected: int

    def __str__(self) -> str:
        return f"{self.cell}: {self.missing} of {self.expected} {_WORDS[self.kind]} not done"


@dataclass(frozen=True)
class Done:
    """The trainings of a study that were handed out, and those that have ended, by key."""

    specs: Mapping[str, TrialSpec]
    results: Mapping[str, TrialResult]

    @classmethod
    def of(cls, events: Sequence[Event]) -> Done:
        """Return what a journal tells."""
        specs: dict[str, TrialSpec] = {}
        results: dict[str, TrialResult] = {}
        for event in events:
            if isinstance(event, Started):
                specs[event.spec.key] = event.spec
            elif isinstance(event, Finished):
                results[event.result.key] = event.result
            elif isinstance(event, Retried):
                results.pop(event.key, None)
        return cls(specs, results)

    def ended(self, cell: str, kind: Kind) -> list[TrialSpec]:
        """Return the trainings of that cell and kind that have ended."""
        specs = (self.specs[key] for key in self.results if key in self.specs)
        return [spec for spec in specs if (spec.cell, spec.kind) == (cell, kind)]


def missing(
    spec: StudySpec, searched: Sequence[Cell], baselines: Sequence[Cell], done: Done
) -> tuple[Missing, ...]:
    """Return what is not done, by cell: trials, confirmations, then baselines."""
    found = []
    for cell in searched:
        trials = num_trials(spec, cell)
        ended = len(done.ended(cell.key, "search"))
        confirmed, expected = _confirmations(spec, cell, done, ended >= trials)
        found.append(Missing(cell.key, "search", trials - ended, trials))
        found.append(Missing(cell.key, "confirm", expected - confirmed, expected))
    for cell in baselines:
        expected = len(baseline_trials(spec, cell, ""))
        ended = len(done.ended(cell.key, "baseline"))
        found.append(Missing(cell.key, "baseline", expected - ended, expected))
    return tuple(one for one in found if one.missing > 0)


def missing_in(study: Path) -> tuple[Missing, ...]:
    """Return what is not done of the study of this folder; nothing where the folder has none."""
    if not (study / STUDY).is_file():
        return ()
    spec = stored_spec(study)
    done = Done.of(Journal(study / JOURNAL).events())
    supported = _supported(study)
    searched = [cell for cell in cells(spec) if supported(cell)]
    baselines = [cell for cell in baseline_cells(spec) if supported(cell)]
    return missing(spec, searched, baselines, done)


def _confirmations(spec: StudySpec, cell: Cell, done: Done, searched: bool) -> tuple[int, int]:
    """Return how many confirmations of what is chosen have ended, and how many there will be."""
    per_setting = len(spec.confirm.seeds) * spec.data.folds
    ended = done.ended(cell.key, "confirm")
    if not num_trials(spec, cell):
        return len(ended), per_setting
    if not searched:
        return 0, spec.confirm.top_k * per_setting
    chosen: list[Mapping[str, object]] = []
    for key in ranked(done.specs, done.results, cell.key, spec.metric):
        params = done.specs[key].params
        if params not in chosen:
            chosen.append(params)
    chosen = chosen[: spec.confirm.top_k]
    return sum(one.params in chosen for one in ended), len(chosen) * per_setting


def _supported(study: Path) -> Callable[[Cell], bool]:
    """Return whether a cell was not left out for want of labelled cases outside the test set."""
    try:
        splits = json.loads((study / DATA).read_text(encoding="utf-8"))["splits"]
    except (OSError, ValueError, KeyError):
        splits = {}
    unbound = {
        name.partition(" fold ")[0]
        for name, split in splits.items()
        if not split["roles"].get("target_bound")
    }

    def supported(cell: Cell) -> bool:
        labelled = load_method(cell.method).needs.target == "labels"
        return not labelled or str(cell.direction) not in unbound

    return supported
