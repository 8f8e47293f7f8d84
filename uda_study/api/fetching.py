"""Bring a study home: from the address where a cluster left it, or from a copied folder."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from uda_study.api.places import to_stderr
from uda_study.api.studies import Study
from uda_study.engine.edits import STUDY, refuse_edits
from uda_study.engine.job import Home
from uda_study.engine.journal import (
    JOURNAL,
    Event,
    Failed,
    Finished,
    Journal,
    Reported,
    Retried,
    Started,
)
from uda_study.engine.lock import alone
from uda_study.engine.records import read_runs
from uda_study.engine.remaining import Done
from uda_study.engine.shared_journal import newer, whole_lines
from uda_study.engine.shared_study import FILES, bring_study, bring_trials, known_studies
from uda_study.errors import InputError, StoreError
from uda_study.files import write_whole
from uda_study.study.cells import params_of, study_id
from uda_study.study.find import find_study
from uda_study.study.runlog import RunLog, StudyStatus
from uda_study.study.source import read_study
from uda_study.study.trial import TrialResult, TrialSpec
from uda_study.tracking.board_view import publish
from uda_study.tracking.log import MlflowRunLog
from uda_study.tracking.store import open_store
from uda_study.training.checkpoint import CHECKPOINTS

_ENDED = ("complete", "failed", "budget")


@dataclass(frozen=True)
class Fetched:
    """A study that is in this home now: its id, how it stands, and its trainings by status."""

    study: str
    status: StudyStatus
    trials: dict[str, int]


def fetch(
    study: str,
    home: Path,
    source: str | Path,
    tell: Callable[[str], None] = to_stderr,
) -> Fetched:
    """Bring a study into the home and write its runs into the home's MLflow.

    ``source`` is an address, or a folder: a study's own or a home. Fetching again brings what is
    new. Raises `InputError` for a study that is not there, for one whose journal here has what the
    other lacks, and for files that are no study of that id; `StoreError` where it cannot be read.
    """
    place = Home(home, None if isinstance(source, Path) else source)
    place.create()
    if isinstance(source, Path):
        theirs = source if (source / STUDY).is_file() else _below(source, study)
        identity = _from_folder(study, place, theirs, tell)
    else:
        identity = _from_address(study, place, tell)
    folder = place.study(identity)
    refuse_edits(read_study(folder / STUDY), folder)
    events = _checked(Journal(folder / JOURNAL).events(), identity)
    results = Done.of(events).results
    tell(f"fetching {len(results)} trainings")
    if isinstance(source, Path):
        _copy_trials(theirs, folder, results)
    else:
        bring_trials(place, identity, results)
    tell("writing its runs into MLflow")
    status = _replay(identity, folder, events, MlflowRunLog(home))
    if status == "complete":
        publish(open_store(home), Study(identity, home).board(), time.time_ns() // 1_000_000)
    counts: dict[str, int] = {}
    for result in results.values():
        counts[result.status] = counts.get(result.status, 0) + 1
    return Fetched(identity, status, counts)


def _from_address(study: str, place: Home, tell: Callable[[str], None]) -> str:
    identity = find_study(study, known_studies(place))
    tell(f"reading {identity} at {place.shared}")
    bring_study(place, identity)
    if not (place.study(identity) / STUDY).is_file():
        raise InputError.of("study", f"is not at {place.shared}", identity)
    return identity


def _from_folder(study: str, place: Home, theirs: Path, tell: Callable[[str], None]) -> str:
    """Copy files and journal of a study; the folder is somebody's: plain files alone are taken."""
    _refuse_others(theirs)
    identity = study_id(read_study(theirs / STUDY).resolved)
    find_study(study, [identity])
    tell(f"reading {identity} in {theirs}")
    folder = place.study(identity)
    if folder.absolute() == theirs.absolute():
        return identity
    here, there = whole_lines(folder / JOURNAL), whole_lines(theirs / JOURNAL)
    _checked(Journal(theirs / JOURNAL).events(), identity)
    read_runs(theirs)
    if newer(here, there, (str(folder / JOURNAL), str(theirs / JOURNAL))):
        with alone(folder):
            for name in FILES:
                if (theirs / name).is_file():
                    write_whole(folder / name, (theirs / name).read_bytes())
            write_whole(folder / JOURNAL, there)
    return identity


def _below(home: Path, study: str) -> Path:
    known = sorted(path.parent.name for path in home.glob(f"studies/*/{STUDY}"))
    if not known:
        raise InputError.of("--from", "must be the folder of a study, or a home with studies", home)
    return home / "studies" / find_study(study, known)


def _refuse_others(folder: Path) -> None:
    """Raise for what is neither a file nor a folder: a link may lead anywhere."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent) / name
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise InputError.of(
                    "--from",
                    "must hold plain files and folders only",
                    path,
                    "copy the study without links",
                )


def _checked(events: Sequence[Event], study: str) -> Sequence[Event]:
    """Return the events; their keys, which become paths, have to be those of their trainings."""
    known = {event.spec.key for event in events if isinstance(event, Started)}
    for event in events:
        key = event.result.key if isinstance(event, Finished) else _key(event)
        other = isinstance(event, Started) and event.spec.study != study
        if key not in known or other:
            raise StoreError(
                f"study {study}: its journal has an entry of no training of this study ({key!r}); "
                "fetch it anew from where it was run"
            )
    return events


def _key(event: Started | Reported | Failed | Retried) -> str:
    return event.spec.key if isinstance(event, Started) else event.key


def _copy_trials(theirs: Path, folder: Path, keys: Iterable[str]) -> None:
    for key in keys:
        trial, own = theirs / "trials" / key, folder / "trials" / key
        if own.exists() or not trial.is_dir():
            continue
        draft = own.with_name(f".{key}-{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(trial, draft, ignore=shutil.ignore_patterns(CHECKPOINTS, ".*"))
        draft.rename(own)


def _replay(study: str, folder: Path, events: Sequence[Event], log: RunLog) -> StudyStatus:
    """Write the study's runs as the run itself would have; what is known already stays as it is."""
    cells, tags, said = read_runs(folder)
    done = Done.of(events)
    specs, results = done.specs, done.results
    log.open(study, folder, cells, tags)
    status: StudyStatus = "interrupted"
    try:
        for spec in specs.values():
            log.trial_started(spec, params_of(spec))
        for event in events:
            if isinstance(event, Reported):
                log.trial_reported(specs[event.key], event.step, event.scores)
        for key, result in results.items():
            log.trial_finished(specs[key], result, folder / "trials" / key)
        for spec, message in _failed(events, specs, results):
            log.trial_finished(
                spec, TrialResult(spec.key, "failed", 0, {}, message), folder / "trials" / spec.key
            )
        if said in _ENDED:
            status = said  # type: ignore[assignment]  # one of StudyStatus, by _ENDED
    finally:
        log.close(status)
    return status


def _failed(
    events: Sequence[Event], specs: Mapping[str, TrialSpec], results: Mapping[str, TrialResult]
) -> Iterator[tuple[TrialSpec, str]]:
    last = {event.key: event.message for event in events if isinstance(event, Failed)}
    for key, message in last.items():
        if key not in results:
            yield specs[key], message
