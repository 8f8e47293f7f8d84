"""From a file, or from what a home holds, to a study that is ready to be trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from uda_study.engine.edits import refuse_edits
from uda_study.engine.job import Home
from uda_study.engine.journal import JOURNAL, Journal
from uda_study.engine.leak_checks import check_leaks
from uda_study.engine.ownership import refuse_foreign
from uda_study.engine.setup import Study, prepare_study
from uda_study.study.cells import study_id
from uda_study.study.find import find_study
from uda_study.study.smoke import smoke as shrink
from uda_study.study.source import SourcedStudy
from uda_study.study.validate import load_study


def read(file: Path, settings: Sequence[str] = (), *, smoke: bool = False) -> SourcedStudy:
    """Return the validated study of a file, shrunk if it is only to be tried out."""
    sourced = load_study(file, settings)
    if not smoke:
        return sourced
    spec = shrink(sourced.spec)
    return replace(sourced, spec=spec, resolved=spec.to_json())


def begun(home: Path, text: str) -> SourcedStudy:
    """Return the study of this home that ``text`` names or begins to name.

    Raises `InputError` where its file was edited in what results depend on, or where others could
    have written what it resumes from.
    """
    known = sorted(path.parent.name for path in home.glob("studies/*/study.yaml"))
    file = home / "studies" / find_study(text, known) / "study.yaml"
    refuse_foreign(home.absolute(), file.parent.name)
    sourced = read(file)
    refuse_edits(sourced, file.parent)
    return sourced


def checked(
    sourced: SourcedStudy, home: Home, count: Callable[[int, int], None] | None = None
) -> Study:
    """Return the study with its images ready and its leak checks made; nothing of it is written.

    ``count`` gets the images that are ready and all of them. Raises `InputError` for damaged
    images, for a leak, and where others could have written what it resumes from.
    """
    refuse_foreign(home.path, study_id(sourced.resolved))
    study = prepare_study(sourced, home, count)
    return check_leaks(study, Journal(home.study(study.id) / JOURNAL).events())
