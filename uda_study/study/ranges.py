"""Checks of the hyperparameters in a study file: their names, ranges and conditions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from uda_study import plugins
from uda_study.study.hyper import RESERVED, hyper_names, load_method, spelled, split_prefix
from uda_study.study.model import (
    CategoricalParameter,
    FloatParameter,
    IntParameter,
    Parameter,
    StudySpec,
)
from uda_study.study.schema_errors import nearest, shown
from uda_study.study.space import admits, allows, on_grid, same
from uda_study.study.yaml_places import Finding, KeyPath
from uda_study.types import JSON


def check_names(
    spec: StudySpec, methods: Collection[str], baselines: Collection[str]
) -> Iterator[Finding]:
    """Yield names that no method has, and those given in two sections; methods all exist."""
    every = dict.fromkeys([*methods, *baselines])
    known = plugins.names("methods")
    for name in spec.matrix:
        if name not in RESERVED:
            yield from _check_name(("matrix", name), methods, known)
    for name in spec.parameters:
        yield from _check_name(("parameters", name), methods, known)
    for name in spec.fixed:
        if name != "direction":
            yield from _check_name(("parameters", name), every, known)
    for number, setting in enumerate(spec.enqueue):
        for name in setting:
            yield from _check_name(("enqueue", number, name), methods, known)
    yield from _given_twice(spec, every)


def check_ranges(spec: StudySpec, methods: Collection[str]) -> Iterator[Finding]:
    """Yield empty or impossible ranges, conditions that can never hold, and enqueued values."""
    for name, parameter in spec.parameters.items():
        yield from _check_range(("parameters", name), parameter)
        for other, allowed in parameter.when.items():
            yield from _check_condition(spec, ("parameters", name, "when", other), other, allowed)
    yield from _cycles(spec)
    for number, setting in enumerate(spec.enqueue):
        for name, value in setting.items():
            yield from _check_enqueued(spec, methods, ("enqueue", number, name), value)


def _check_name(
    at: KeyPath, methods: Collection[str], every_method: Collection[str]
) -> Iterator[Finding]:
    name = str(at[-1])
    prefix, rest = split_prefix(name, every_method)
    if prefix is not None and prefix not in methods:
        rule = f"names the method {prefix!r}, which this study does not train here"
        yield Finding(at, rule, None, f"choose from {', '.join(methods)}")
        return
    asked = [prefix] if prefix is not None else list(methods)
    known = dict.fromkeys(own for method in asked for own in hyper_names(load_method(method)))
    if rest not in known:
        yield Finding(
            at, f"unknown hyperparameter of {' and '.join(asked)}", None, nearest(rest, known)
        )


def _given_twice(spec: StudySpec, methods: Iterable[str]) -> Iterator[Finding]:
    for name in spec.matrix:
        if name in spec.fixed and name in RESERVED:
            yield Finding(("parameters", name), "is also a factor of the matrix", None, "keep one")
    noted = set()
    for method in methods:
        factors = spelled(method, spec.matrix)
        for section, kind in ((spec.parameters, "searched"), (spec.fixed, "a constant")):
            for name, written in spelled(method, section).items():
                if name in factors and written not in noted:
                    noted.add(written)
                    rule = f"is {kind} and also the factor matrix.{factors[name]}"
                    yield Finding(("parameters", written), rule, None, "keep one")
        constants = spelled(method, spec.fixed)
        for name, written in spelled(method, spec.parameters).items():
            if name in constants and written not in noted:
                noted.add(written)
                rule = f"is searched and also the constant {constants[name]}"
                yield Finding(("parameters", written), rule, None, "keep one")


def _check_range(at: KeyPath, parameter: Parameter) -> Iterator[Finding]:
    if isinstance(parameter, CategoricalParameter):
        for number, choice in enumerate(parameter.choices):
            if any(same(choice, other) for other in parameter.choices[:number]):
                yield Finding((*at, "choices", number), "is given twice", shown(choice), "keep one")
        return
    if parameter.low > parameter.high:
        rule = f"must not be greater than high = {shown(parameter.high)}"
        yield Finding((*at, "low"), rule, shown(parameter.low))
    elif not _steps_divide(parameter):
        rule = f"must divide high - low = {parameter.high - parameter.low:g}"
        yield Finding((*at, "step"), rule, shown(parameter.step))
    if parameter.log and parameter.low <= 0:
        rule = "must be greater than 0 where log is true"
        yield Finding((*at, "low"), rule, shown(parameter.low))
    if parameter.log and parameter.step not in (None, 1):
        rule = "cannot be combined with log: true"
        yield Finding((*at, "step"), rule, shown(parameter.step), "remove one of them")


def _steps_divide(parameter: FloatParameter | IntParameter) -> bool:
    if isinstance(parameter, IntParameter):
        return (parameter.high - parameter.low) % parameter.step == 0
    return on_grid(parameter, parameter.high)


def _check_condition(spec: StudySpec, at: KeyPath, other: str, allowed: JSON) -> Iterator[Finding]:
    values = allowed if isinstance(allowed, list) else [allowed]
    if other in spec.parameters:
        possible = [admits(spec.parameters[other], value) for value in values]
    elif other in spec.matrix:
        possible = [any(allows(value, one) for one in spec.matrix[other]) for value in values]
    elif other in spec.fixed:
        possible = [same(value, spec.fixed[other]) for value in values]
    else:
        names = [*spec.parameters, *spec.matrix, *spec.fixed]
        rule = "refers to neither a parameter nor a factor"
        yield Finding(at, rule, None, nearest(other, names))
        return
    for value, is_possible in zip(values, possible, strict=True):
        if not is_possible:
            yield Finding(at, f"is a value that {other} never has", shown(value))


def _cycles(spec: StudySpec) -> Iterator[Finding]:
    settled: set[str] = set()
    waiting = dict(spec.parameters)
    while free := [
        name
        for name, parameter in waiting.items()
        if all(other in settled or other not in spec.parameters for other in parameter.when)
    ]:
        settled.update(free)
        waiting = {name: parameter for name, parameter in waiting.items() if name not in settled}
    for name in waiting:
        rule = f"conditions go round in a circle: {', '.join(waiting)}"
        yield Finding(("parameters", name, "when"), rule)


def _check_enqueued(
    spec: StudySpec, methods: Collection[str], at: KeyPath, value: JSON
) -> Iterator[Finding]:
    name = str(at[-1])
    searched: Mapping[str, Parameter] = spec.parameters
    found = [
        searched[spelled(method, searched)[own]]
        for method in methods
        for own in spelled(method, [name])
        if own in spelled(method, searched)
    ]
    if not found:
        yield Finding(at, "is not searched", None, nearest(name, searched))
    for parameter in found[:1]:
        if not admits(parameter, value):
            yield Finding(at, f"must be {_range(parameter)}", shown(value))


def _range(parameter: Parameter) -> str:
    if isinstance(parameter, CategoricalParameter):
        return f"one of {', '.join(map(shown, parameter.choices))}"
    step = "" if parameter.step in (None, 1) else f" in steps of {parameter.step:g}"
    whole = "a whole number " if isinstance(parameter, IntParameter) else ""
    return f"{whole}in {parameter.low:g}..{parameter.high:g}{step}"
