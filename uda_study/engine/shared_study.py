"""A study's own files and finished trainings, brought here from where another machine left them."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from uda_study.engine.budget import USAGE
from uda_study.engine.edits import ORIGINAL, STUDY
from uda_study.engine.job import Home
from uda_study.engine.journal import JOURNAL
from uda_study.engine.lock import alone
from uda_study.engine.records import CHECKS, DATA, ENVIRONMENT, RUNS
from uda_study.engine.shared_journal import newer, whole_lines
from uda_study.engine.trial import read_result
from uda_study.files import write_whole

FILES = (STUDY, ORIGINAL, DATA, CHECKS, ENVIRONMENT, RUNS, USAGE)
"""What a study writes of itself, its journal apart."""
_THREADS = 8


def known_studies(home: Home) -> list[str]:
    """Return the ids of the studies that are in this home or at its address."""
    here = {path.parent.name for path in home.path.glob(f"studies/*/{STUDY}")}
    return sorted(here.union(home.mirror.names(home.path / "studies")))


def bring_study(home: Home, study: str) -> bool:
    """Bring journal and files of a study here where the address is ahead; tell whether it was.

    Raises `InputError` where journals here and there each have what the other lacks, and
    `StoreError` where the address does not answer.
    """
    folder, mirror = home.study(study), home.mirror
    if home.shared is None:
        return False
    there = mirror.read(folder / JOURNAL) or b""
    here = whole_lines(folder / JOURNAL)
    places = (str(folder / JOURNAL), f"{home.shared}/studies/{study}/{JOURNAL}")
    behind = newer(here, there, places)
    if not behind and ((folder / STUDY).exists() or mirror.size(folder / STUDY) is None):
        return False
    with alone(folder):
        for name in FILES:
            mirror.pull(folder / name)
        if behind:
            # Last: a study without its journal would begin anew.
            write_whole(folder / JOURNAL, there)
    return True


def push_files(home: Home, study: str) -> None:
    """Copy the study's own files to the home's address."""
    folder = home.study(study)
    for name in FILES:
        if (folder / name).is_file():
            home.mirror.push(folder / name)


def bring_trials(home: Home, study: str, keys: Iterable[str]) -> None:
    """Fetch the folders of finished trainings that are not in this home."""
    if home.shared is None:
        return
    trials = home.study(study) / "trials"
    missing = [trials / key for key in keys if read_result(trials / key) is None]

    def pull(folder: Path) -> None:
        home.mirror.pull(folder)

    with ThreadPoolExecutor(_THREADS) as threads:
        for _ in threads.map(pull, missing):
            pass
