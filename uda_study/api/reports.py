"""Make the report of a study: what MLflow holds of it, and volumes of test cases."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from uda_study.data.prune import in_use
from uda_study.engine.edits import ORIGINAL
from uda_study.engine.job import Home
from uda_study.engine.revisit import Revisit, reopen
from uda_study.errors import InputError
from uda_study.files import unwritable, write_whole
from uda_study.report.section import Material
from uda_study.report.sections.volumes import Volumes, wanted
from uda_study.report.study_report import study_report
from uda_study.report.volume_viewer import viewed_case
from uda_study.tracking.material import material
from uda_study.tracking.store import open_store
from uda_study.training import accelerator

_MISSING = (
    "The images of this study or the models of its trainings were not at hand when this page was "
    "made."
)


@dataclass(frozen=True)
class Written:
    """A report, and how many cases can be looked at as volumes in it."""

    page: Path
    volumes: int


def write_report(
    study: str, home: Path, page: Path, volumes: bool, tell: Callable[[str], None]
) -> Written:
    """Write the report of the study of this id; `InputError` where ``page`` cannot be written.

    Where images or models are gone the page is made without volumes, and says so.
    """
    if problems := unwritable("-o", page):
        raise InputError(problems)
    tell(f"reading study {study}")
    with tempfile.TemporaryDirectory() as scratch:
        found = material(open_store(home), study, Path(scratch))
        shown = _volumes(found, Home(home), tell) if volumes else Volumes()
        tell("drawing the page")
        text = study_report(found, shown, question(Home(home), study))
    try:
        write_whole(page, text)
    except OSError as error:
        raise InputError.of("-o", f"cannot be written ({error.strerror})", page) from error
    return Written(page, len(shown.cases))


def question(home: Home, study: str) -> str:
    """Return the comment at the top of the study file, if the home has it."""
    file = home.study(study) / ORIGINAL
    if not file.is_file():
        return ""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if "yaml-language-server" not in line:
            lines.append(line.lstrip("# ").rstrip())
    return " ".join(lines)


def _volumes(material: Material, home: Home, tell: Callable[[str], None]) -> Volumes:
    cases, shown = list(wanted(material)), []
    try:
        prepared = reopen(home, material.study)
        device = accelerator.device()
        visit = Revisit(prepared, home, device)
        with in_use(home.prepared):
            for number, one in enumerate(cases, 1):
                tell(f"segmenting {number}/{len(cases)}  {one.name}")
                (each,) = visit.segmented(one.key, [one.case])
                shown.append(viewed_case(one.name, each.image, each.truth, each.after, each.affine))
    except InputError as error:
        tell(f"without volumes: {error}")
        return Volumes(missing=_MISSING)
    return Volumes(shown, prepared.preprocessing.class_names[1:])
