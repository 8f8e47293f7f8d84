"""From a file, or from what a home holds, to a study that is ready to be trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from uda_study.api.places import open_home
from uda_study.engine.disk import require_space
from uda_study.engine.edits import refuse_edits
from uda_study.engine.factor_order import in_order
from uda_study.engine.job import Home
from uda_study.engine.journal import JOURNAL, Journal
from uda_study.engine.leak_checks import check_leaks
from uda_study.engine.ownership import refuse_foreign
from uda_study.engine.setup import Study, prepare_study
from uda_study.engine.shared_study import bring_study, known_studies
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


def begun(home: Path, text: str, settings: Sequence[str] = ()) -> SourcedStudy:
    """Return the study of this home that ``text`` names or begins to name.

    ``settings`` replace values of its file that no result depends on, such as its budget. Raises
    `InputError` where its file was edited in what results depend on, or where others could have
    written what it resumes from.
    """
    place = open_home(home)
    study = find_study(text, known_studies(place))
    refuse_foreign(place.path, study)
    bring_study(place, study)
    file = place.study(study) / "study.yaml"
    sourced = in_order(read(file, settings), file.parent)
    refuse_edits(sourced, file.parent)
    return sourced


def checked(
    sourced: SourcedStudy, home: Home, count: Callable[[int, int], None] | None = None
) -> Study:
    """Return the study with its images ready and its leak checks made; nothing of it is written.

    ``count`` gets the images that are ready and all of them. Raises `InputError` for damaged
    images, for a leak, for a disk with too little room, and where others could have written what
    it resumes from.
    """
    require_space(home.path)
    refuse_foreign(home.path, study_id(sourced.resolved))
    bring_study(home, study_id(sourced.resolved))
    study = prepare_study(sourced, home, count)
    return check_leaks(study, Journal(home.study(study.id) / JOURNAL).events())
