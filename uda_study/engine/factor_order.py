"""The order of a begun study's factors, which is part of the names of its cells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from uda_study.engine.edits import ORIGINAL, STUDY
from uda_study.errors import InputError
from uda_study.study.model import StudySpec
from uda_study.study.source import SourcedStudy, read_study


def stored_spec(study: Path) -> StudySpec:
    """Return the settings of the study of this folder, its factors in the order of its file."""
    return in_order(read_study(study / STUDY), study).spec


def in_order(sourced: SourcedStudy, study: Path) -> SourcedStudy:
    """Return the study with its factors in the order in which it was first written.

    Files of resolved settings were once written with sorted keys.
    """
    try:
        order = read_study(study / ORIGINAL).spec.matrix
    except (InputError, OSError):
        return sourced
    matrix = sourced.spec.matrix
    if set(order) != set(matrix) or list(order) == list(matrix):
        return sourced
    spec = sourced.spec.model_copy(update={"matrix": {name: matrix[name] for name in order}})
    return replace(sourced, spec=spec, resolved=spec.to_json())
