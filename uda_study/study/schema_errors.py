"""Pydantic's complaints in the vocabulary of uda-study: where, rule, value, remedy."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from uda_study.errors import InputError
from uda_study.study.yaml_places import Finding, KeyPath
from uda_study.types import JSON

M = TypeVar("M", bound=BaseModel)

_RULES: dict[str, str] = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "path_type": "must be a path",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
}
_DOTS = "names of nested hyperparameters are written with dots, such as optim.lr"
_MAX_SHOWN = 80


def build(
    model: type[M], values: dict[str, JSON], known: Callable[[KeyPath], Iterable[str]]
) -> M | list[Finding]:
    """Return the model, or all its findings; text is never taken for a number.

    ``known`` lists the keys that may stand at a path, for the remedy of an unknown key.
    """
    try:
        # JSON mode is what lets strict typing take lists for tuples and text for paths.
        return model.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        return _findings(error.errors(include_url=False), values, known)
    except InputError as error:
        # A validator that asks the project's own code, which says what is wrong by itself.
        return [
            Finding(tuple(problem.where.split(".")), problem.rule, problem.value, problem.remedy)
            for problem in error.problems
        ]


def shown(value: object) -> str:
    """Return a value as messages show it: as JSON, shortened.

    >>> shown("a"), shown([1, 2])
    ('"a"', '[1, 2]')
    """
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."


def nearest(word: str, choices: Iterable[str], offer_all: bool = True) -> str | None:
    """Return the remedy for an unknown word: the nearest choice, or else all of them."""
    names = list(choices)
    near = difflib.get_close_matches(word, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"choose from {', '.join(names)}" if names and offer_all else None


def _findings(
    errors: Sequence[ErrorDetails], values: JSON, known: Callable[[KeyPath], Iterable[str]]
) -> list[Finding]:
    found: dict[KeyPath, Finding] = {}
    for error in errors:
        at = _path(error, values, known)
        finding = _finding(error, at, known)
        # Each member of a union complains on its own: one value, one finding with all the rules.
        if at in found and finding.rule not in found[at].rule:
            rule = f"{found[at].rule} or {finding.rule.removeprefix('must be ')}"
            finding = Finding(at, rule, finding.value, finding.remedy)
        elif at in found:
            continue
        found[at] = finding
    return list(found.values())


def _path(error: ErrorDetails, values: JSON, known: Callable[[KeyPath], Iterable[str]]) -> KeyPath:
    """Drop from pydantic's location what names the member of a union and not a key.

    The last key may be one that was not given: it is missing, or its default does not fit.
    """
    path: list[str | int] = []
    here: Any = values
    for position, key in enumerate(error["loc"], start=1):
        last = position == len(error["loc"])
        if isinstance(here, Mapping) and key in here:
            here = here[str(key)]
        elif isinstance(here, list) and isinstance(key, int) and key < len(here):
            here = here[key]
        elif not last or error["type"] != "missing":
            dotted = ".".join(map(str, (*path, key)))
            if not (last and {str(key), dotted} & set(known(tuple(path)))):
                continue
        path.append(key)
    return tuple(path)


def _finding(
    error: ErrorDetails, at: KeyPath, known: Callable[[KeyPath], Iterable[str]]
) -> Finding:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return Finding(at, "is required")
    if kind == "extra_forbidden":
        word, choices = str(at[-1]), list(known(at[:-1]))
        return Finding(at, "unknown key", None, nearest(word, choices))
    if kind in {"union_tag_not_found", "union_tag_invalid"}:
        tag = shown(context["tag"]) if "tag" in context else None
        return Finding((*at, "type"), "must be float, int or categorical", tag, _DOTS)
    value = shown(error["input"])
    if kind in {"value_error", "assertion_error"}:
        rule = str(context["error"])
        said = ", got " in rule or isinstance(error["input"], dict)
        return Finding(at, rule, None if said else value)
    if kind in _RULES:
        return Finding(at, _RULES[kind].format(**context), value)
    return Finding(at, error["msg"][:1].lower() + error["msg"][1:], value)
