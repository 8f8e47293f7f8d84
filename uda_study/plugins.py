"""Find methods, datasets, metrics and validators by name: the file name is the key.

Own plugins of the installation come in through the entry-point groups ``uda_study.methods``,
``uda_study.datasets``, ``uda_study.metrics`` and ``uda_study.validators``.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from uda_study.errors import InputError

T = TypeVar("T")


@cache
def names(kind: str) -> tuple[str, ...]:
    """Return the sorted keys of ``methods``, ``datasets``, ``metrics`` or ``validators``."""
    package = importlib.import_module(f"uda_study.{kind}")
    own = {module.name for module in pkgutil.iter_modules(package.__path__)}
    return tuple(sorted({name for name in own if not name.startswith("_")} | set(_outside(kind))))


@cache
def load(kind: str, name: str, contract: type[T]) -> type[T]:
    """Return the plugin class of that name; `InputError` names the nearest key if there is none."""
    if name not in names(kind):
        near = difflib.get_close_matches(name, names(kind), n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(names(kind))}"
        raise InputError.of(
            kind.removesuffix("s"), f"unknown {kind.removesuffix('s')}", repr(name), remedy
        )
    outside = _outside(kind)
    if name in outside:
        found = [outside[name].load()]
    else:
        module = importlib.import_module(f"uda_study.{kind}.{name}")
        found = [
            value
            for value in vars(module).values()
            if inspect.isclass(value)
            and issubclass(value, contract)
            and value.__module__ == module.__name__
            and not inspect.isabstract(value)
        ]
    if len(found) != 1 or not issubclass(found[0], contract):
        raise InputError.of(
            f"{kind}.{name}", f"must define exactly one {contract.__name__}", len(found)
        )
    plugin: type[T] = found[0]
    return plugin


def _outside(kind: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"uda_study.{kind}")}
