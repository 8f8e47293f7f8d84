"""Hyperparameters of methods under dotted names, as a study file writes them.

``optim.lr`` is the field ``lr`` of the nested model ``optim``; it applies to every method that has
it. ``dam.optim.lr`` applies to the method ``dam`` alone and wins over the name without prefix.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from copy import deepcopy
from functools import cache
from typing import Any, TypeVar, get_args

from pydantic import BaseModel

from uda_study import plugins
from uda_study.errors import InputError, Problem
from uda_study.method import Hyper, Method
from uda_study.study.schema_errors import build, nearest
from uda_study.study.yaml_places import Finding
from uda_study.types import JSON

MethodClass = type[Method[Any]]
V = TypeVar("V")

RESERVED = ("direction", "method")
"""Factors that are no hyperparameters."""


def load_method(name: str) -> MethodClass:
    """Return the method of that name; `InputError` names the nearest one if there is none."""
    return plugins.load("methods", name, Method)


def hyper_names(method: MethodClass) -> tuple[str, ...]:
    """Return the dotted names of all hyperparameters of a method, in the order of its fields."""
    return _names_of(method.Hyper)


def flatten_hyper(hyper: Hyper) -> dict[str, JSON]:
    """Return plain values under dotted names; `resolve_hyper` reads them back."""
    return _flat(hyper, hyper.model_dump(mode="json"))


def resolve_hyper(method: MethodClass, values: Mapping[str, JSON]) -> Hyper:
    """Return the method's published hyperparameters with the given dotted ones in their place.

    Raises `InputError` naming every hyperparameter that is unknown or out of its limits.
    """
    built = build_hyper(method, values)
    if isinstance(built, Hyper):
        return built
    raise InputError(
        Problem(name_of(finding) or "hyperparameters", finding.rule, finding.value, finding.remedy)
        for finding in built
    )


def build_hyper(method: MethodClass, values: Mapping[str, JSON]) -> Hyper | list[Finding]:
    """As `resolve_hyper`, but returns the findings, at the nested path of each value."""
    names = hyper_names(method)
    unknown = [
        Finding((name,), "unknown hyperparameter", None, nearest(name, names))
        for name in values
        if name not in names
    ]
    if unknown:
        return unknown
    nested = deepcopy(_chosen_below(method))
    for name, value in values.items():
        *above, leaf = name.split(".")
        here: Any = nested
        for key in above:
            here = here.setdefault(key, {})
        here[leaf] = value
    return build(method.Hyper, nested, lambda _: names)


def name_of(finding: Finding) -> str:
    """Return the dotted hyperparameter that a finding of `build_hyper` is about."""
    return ".".join(key for key in finding.at if isinstance(key, str))


def split_prefix(name: str, methods: Collection[str]) -> tuple[str | None, str]:
    """Part ``dam.depth`` into the method and its hyperparameter; no method without a prefix."""
    first, _, rest = name.partition(".")
    return (first, rest) if rest and first in methods else (None, name)


def spelled(method_name: str, written: Iterable[str]) -> dict[str, str]:
    """Map the hyperparameters that a method has to how the study file spells them.

    Names of other methods, and names that the method does not have, are left out.
    """
    own = hyper_names(load_method(method_name))
    general, special = {}, {}
    for name in written:
        prefix, rest = split_prefix(name, (method_name,))
        if prefix is not None and rest in own:
            special[rest] = name
        elif name in own:
            general[name] = name
    return general | special


def for_method(method_name: str, values: Mapping[str, V]) -> dict[str, V]:
    """Return what applies to one method, under the names that the method has."""
    return {name: values[written] for name, written in spelled(method_name, values).items()}


@cache
def _chosen_below(method: MethodClass) -> dict[str, JSON]:
    """Return what the method's nested defaults set differently from their own classes.

    All else stays open, so that a model may fill in what suits the values that are given.
    """
    return _nested(method.Hyper())


def _nested(model: BaseModel) -> dict[str, JSON]:
    values: dict[str, JSON] = {}
    set_by_hand = model.model_dump(mode="json", include=model.model_fields_set)
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            values |= {name: below} if (below := _nested(value)) else {}
        elif name in set_by_hand:
            values[name] = set_by_hand[name]
    return values


@cache
def _names_of(model: type[Hyper]) -> tuple[str, ...]:
    return tuple(_leaves(model))


def _leaves(model: type[BaseModel]) -> Iterable[str]:
    for name, field in model.model_fields.items():
        nested = [kind for kind in _members(field.annotation) if _is_model(kind)]
        if nested:
            below = dict.fromkeys(leaf for kind in nested for leaf in _leaves(kind))
            yield from (f"{name}.{leaf}" for leaf in below)
        else:
            yield name


def _members(annotation: Any) -> tuple[Any, ...]:
    return (annotation,) if isinstance(annotation, type) else get_args(annotation)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _flat(model: BaseModel, dump: Mapping[str, Any]) -> dict[str, JSON]:
    values: dict[str, JSON] = {}
    for name, value in dump.items():
        nested = getattr(model, name)
        if isinstance(nested, BaseModel):
            values |= {f"{name}.{key}": item for key, item in _flat(nested, value).items()}
        else:
            values[name] = value
    return values
