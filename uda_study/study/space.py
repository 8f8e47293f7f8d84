"""The space that one cell searches, as a pure description; the engine turns it into Optuna's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from uda_study.method import Hyper
from uda_study.study.hyper import (
    MethodClass,
    build_hyper,
    flatten_hyper,
    for_method,
    load_method,
    name_of,
    resolve_hyper,
    split_prefix,
)
from uda_study.study.model import (
    CategoricalParameter,
    FloatParameter,
    IntParameter,
    Parameter,
    StudySpec,
)
from uda_study.study.trial import Cell
from uda_study.study.yaml_places import KeyPath
from uda_study.types import JSON

_GRID_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Space:
    """What a cell searches, under the names of its method; ``when`` refers to names in here.

    ``constants`` are the hyperparameters that the cell fixes; the published values of the others
    can depend on them, as a network's width on which network it is.
    """

    parameters: Mapping[str, Parameter]
    constants: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def order(self) -> tuple[str, ...]:
        """All parameters, each after those that its condition refers to."""
        names: list[str] = []
        while waiting := [
            name
            for name, parameter in self.parameters.items()
            if name not in names and all(needed in names for needed in parameter.when)
        ]:
            names.extend(waiting)
        return tuple(names)

    def is_active(self, name: str, params: Mapping[str, JSON]) -> bool:
        """Tell whether a parameter counts beside the values of the active ones before it."""
        return all(
            needed in params and allows(allowed, params[needed])
            for needed, allowed in self.parameters[name].when.items()
        )

    def active(self, params: Mapping[str, JSON]) -> tuple[str, ...]:
        """Return the parameters that count beside the given values, in `order`."""
        names: list[str] = []
        for name in self.order:
            if self.is_active(name, {n: params[n] for n in names if n in params}):
                names.append(name)
        return tuple(names)

    def contains(self, params: Mapping[str, JSON]) -> bool:
        """Tell whether exactly the active parameters are given, each within its range."""
        return set(params) == set(self.active(params)) and all(
            admits(self.parameters[name], value) for name, value in params.items()
        )

    def defaults(self, method: MethodClass) -> dict[str, JSON]:
        """Return the published setting, trial 0, as far as it is searched and in the ranges.

        What is left out keeps its published value in the training, but lies outside the space.
        """
        return self.complete({}, method)

    def complete(self, setting: Mapping[str, JSON], method: MethodClass) -> dict[str, JSON]:
        """Return the setting with the published values, where in range, for what it leaves open."""
        outside = self.outside(method)
        values = {n: v for n, v in self._published(method).items() if n not in outside}
        values.update(setting)
        return {name: values[name] for name in self.active(values) if name in values}

    def outside(self, method: MethodClass) -> dict[str, JSON]:
        """Return the published values that lie outside the ranges."""
        values = self._published(method)
        return {n: v for n, v in values.items() if not admits(self.parameters[n], v)}

    def _published(self, method: MethodClass) -> dict[str, JSON]:
        built = build_hyper(method, self.constants)
        # A published value that the constants rule out, as a depth of another network, is none:
        # the first of the range stands in for it.
        ruled_out = [] if isinstance(built, Hyper) else [name_of(finding) for finding in built]
        stand_in = {n: ends(self.parameters[n])[0][1] for n in ruled_out if n in self.parameters}
        values = flatten_hyper(resolve_hyper(method, {**self.constants, **stand_in}))
        return {n: values[n] for n in self.parameters if n in values}


def cell_space(spec: StudySpec, cell: Cell) -> Space:
    """Return what the cell searches; conditions on factors and constants are already decided."""
    known: dict[str, JSON] = {
        **cell.constants,
        "method": cell.method,
        "direction": str(cell.direction),
    }
    parameters: dict[str, Parameter] = {}
    for name, parameter in for_method(cell.method, spec.parameters).items():
        when = {
            split_prefix(other, (cell.method,))[1]: allowed
            for other, allowed in parameter.when.items()
        }
        if any(other in known and not allows(when[other], known[other]) for other in when):
            continue
        open_when = {other: allowed for other, allowed in when.items() if other not in known}
        parameters[name] = parameter.model_copy(update={"when": open_when})
    return Space(parameters, cell.constants)


def space_of(spec: StudySpec, cell: Cell) -> tuple[Space, tuple[dict[str, JSON], ...]]:
    """Return what the cell searches, and the settings that it tries first.

    These are the published setting and those of ``enqueue``, which keep the published values for
    what they leave open.
    """
    space, method = cell_space(spec, cell), load_method(cell.method)
    settings = [space.defaults(method)]
    for setting in spec.enqueue:
        own = for_method(cell.method, setting)
        given = {name: own[name] for name in space.parameters if name in own}
        settings.append(space.complete(given, method))
    return space, tuple(s for n, s in enumerate(settings) if s not in settings[:n])


def admits(parameter: Parameter, value: JSON) -> bool:
    """Tell whether a single value lies in the range of a parameter."""
    if isinstance(parameter, CategoricalParameter):
        return any(same(value, choice) for choice in parameter.choices)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if not parameter.low <= value <= parameter.high:
        return False
    if isinstance(parameter, IntParameter):
        return value == int(value) and (int(value) - parameter.low) % parameter.step == 0
    return parameter.step is None or on_grid(parameter, value)


def ends(parameter: Parameter) -> list[tuple[KeyPath, JSON]]:
    """Return every choice, or both ends of the range, each with its path in the parameter."""
    if isinstance(parameter, CategoricalParameter):
        return [(("choices", number), choice) for number, choice in enumerate(parameter.choices)]
    return [(("low",), parameter.low), (("high",), parameter.high)]


def on_grid(parameter: FloatParameter, value: float) -> bool:
    """Tell whether a value lies a whole number of steps above ``low``."""
    if parameter.step is None:
        return True
    steps = (value - parameter.low) / parameter.step
    return abs(steps - round(steps)) <= _GRID_TOLERANCE * max(1.0, abs(steps))


def allows(allowed: JSON, value: JSON) -> bool:
    """Tell whether a condition (one value or a list of them) is met."""
    return any(same(value, one) for one in (allowed if isinstance(allowed, list) else [allowed]))


def same(one: JSON, other: JSON) -> bool:
    """Tell whether two values are equal; true and 1 are not."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)
