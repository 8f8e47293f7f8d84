"""``--set key=value``: changes to a study file given on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

from pydantic import BaseModel

from uda_study.errors import InputError, Problem
from uda_study.study.fewer_methods import left_over
from uda_study.study.model import CategoricalParameter, FloatParameter, IntParameter, StudySpec
from uda_study.study.schema_errors import nearest
from uda_study.study.yaml_places import Document, KeyPath, Place, dotted, read_yaml
from uda_study.types import JSON

OVERRIDE = "--set"
"""The label of the place of every value that an override gave."""

_AFTER_THE_FILE = 10**9
_PARAMETER_FIELDS = tuple(
    dict.fromkeys(
        name
        for model in (FloatParameter, IntParameter, CategoricalParameter)
        for name in model.model_fields
    )
)
_OPEN = {("parameters",), ("matrix",), ("data", "options"), ("data", "labels")}
"""Mappings whose keys the user chooses: what follows may be a new key and may hold dots."""


def apply(document: Document, overrides: Sequence[str]) -> Document:
    """Return the document with every override in place, the later one winning.

    Where they ask for fewer methods, parameters of the others alone are left out.
    Raises `InputError` naming every override that has no target or no value.
    """
    values, places = deepcopy(document.mapping()), dict(document.places)
    findings, problems = list(document.findings), []
    for number, override in enumerate(overrides):
        key, equals, text = override.partition("=")
        place = Place(_AFTER_THE_FILE + number, OVERRIDE)
        target = _target(key, values) if equals else None
        if target is None:
            problems.append(_no_target(override, values))
            continue
        try:
            given = read_yaml(text, partial(_named, f"{OVERRIDE} {key}"))
        except InputError as error:
            problems.extend(error.problems)
            continue
        _set(values, target, given.value)
        kept = {at: where for at, where in places.items() if at[: len(target)] != target}
        ancestors = {target[:n]: place for n in range(1, len(target)) if target[:n] not in kept}
        inside = {(*target, *at): place for at in given.places}
        places = {**kept, **ancestors, **inside}
        findings = [f for f in findings if f.at[: len(target)] != target]
        findings += [type(f)((*target, *f.at), f.rule, f.value, f.remedy) for f in given.findings]
    if problems:
        raise InputError(problems)
    for name in left_over(document.mapping(), values):
        at = ("parameters", name)
        if places[at].label != OVERRIDE:
            _drop(values, at)
            places = {other: where for other, where in places.items() if other[:2] != at}
    return Document(values, places, tuple(findings))


def _named(label: str, line: int) -> Place:
    return Place(line, label)


def fields_at(at: KeyPath) -> Iterable[str]:
    """Return the keys that a study file may have at a path; none where the user chooses them."""
    if len(at) == 2 and at[0] == "parameters":
        return _PARAMETER_FIELDS
    model = _model_at(at)
    if model is None:
        return ()
    return [name for name in model.model_fields if (model, name) != (StudySpec, "fixed")]


def _model_at(at: KeyPath) -> type[BaseModel] | None:
    model: Any = StudySpec
    for key in at:
        fields = model.model_fields
        model = fields[key].annotation if key in fields else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return None
    found: type[BaseModel] = model
    return found


def _target(key: str, values: JSON) -> KeyPath | None:
    """Find the path that a dotted key addresses: existing keys first, then the study's fields."""
    at: tuple[str, ...] = ()
    words = key.split(".")
    if not all(words):
        return None
    while words:
        here = _get(values, at)
        known = set(here) if isinstance(here, Mapping) else set()
        fields = set(fields_at(at))
        joined = [".".join(words[:n]) for n in range(len(words), 0, -1)]
        found = next((name for name in joined if name in known | fields), None)
        if found is None and at in _OPEN:
            found = joined[0]
        # A key that the file misspelt is no target either.
        if found is None or (not at and found not in fields):
            return None
        at = (*at, found)
        words = words[found.count(".") + 1 :]
    return at


def _no_target(override: str, values: JSON) -> Problem:
    key, equals, _ = override.partition("=")
    if not equals:
        return Problem(f"{OVERRIDE} {key}", "must be written as key=value")
    remedy = nearest(key, _targets(values, ()), offer_all=False)
    return Problem(f"{OVERRIDE} {key}", "unknown key", None, remedy)


def _targets(values: JSON, at: KeyPath) -> list[str]:
    here = _get(values, at)
    names = dict.fromkeys([*fields_at(at), *(here if isinstance(here, Mapping) and at else ())])
    below = [target for name in names for target in _targets(values, (*at, name))]
    return [*([dotted(at)] if at else []), *below]


def _get(values: JSON, at: KeyPath) -> JSON:
    for key in at:
        values = values.get(str(key)) if isinstance(values, dict) else None
    return values


def _set(values: JSON, at: KeyPath, value: JSON) -> None:
    here: Any = values
    for key in at[:-1]:
        # A section that is absent, null or no mapping gives way to the one that is addressed.
        if not isinstance(here.get(key), dict):
            here[key] = {}
        here = here[key]
    here[at[-1]] = value


def _drop(values: JSON, at: KeyPath) -> None:
    above = _get(values, at[:-1])
    if isinstance(above, dict):
        del above[str(at[-1])]
