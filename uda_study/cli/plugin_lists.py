"""``uda-study methods``, ``datasets``, ``metrics``, ``validators``: what there is to choose."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from rich.table import Table

from uda_study.cli.console import Screen
from uda_study.cli.options import JsonOption

KINDS = ("methods", "datasets", "metrics", "validators")


def command(kind: str) -> Callable[[bool], None]:
    """Return the command that lists the plugins of a kind."""

    def show(as_json: JsonOption = False) -> None:
        from uda_study import plugins

        entries = [_DESCRIBE[kind](name) for name in plugins.names(kind)]
        screen = Screen(as_json=as_json)
        if as_json:
            screen.result(entries)
            return
        table = Table(box=None, pad_edge=False)
        columns = [name for name in entries[0] if name not in ("hyperparameters", "tree")]
        for name in columns:
            table.add_column(name.replace("_", " "))
        for entry in entries:
            table.add_row(*(_shown(entry[name]) for name in columns))
        screen.out.print(table)

    show.__doc__ = f"List the {kind} that there are to choose from."
    return show


def _method(name: str) -> dict[str, Any]:
    from uda_study.method import Method
    from uda_study.plugins import load
    from uda_study.study.hyper import flatten_hyper

    plugin = load("methods", name, Method)
    return {
        "name": name,
        "supervision": plugin.needs.target,
        "direction": plugin.needs.translation,
        "spatial_dims": list(plugin.needs.spatial_dims),
        "what": _purpose(plugin),
        "paper": plugin.paper,
        "hyperparameters": flatten_hyper(plugin.Hyper()),
    }


def _dataset(name: str) -> dict[str, Any]:
    from uda_study.dataset import Dataset
    from uda_study.plugins import load

    return {"name": name, **load("datasets", name, Dataset).info.model_dump(mode="json")}


def _metric(name: str) -> dict[str, Any]:
    from uda_study.metric import Metric
    from uda_study.plugins import load

    plugin = load("metrics", name, Metric)
    return {
        "name": name,
        "what": _purpose(plugin),
        "better": "higher" if plugin.higher_is_better else "lower",
        "unit": plugin.unit,
    }


def _validator(name: str) -> dict[str, Any]:
    from uda_study.metric import Validator
    from uda_study.plugins import load

    return {"name": name, "what": _purpose(load("validators", name, Validator))}


_DESCRIBE = {"methods": _method, "datasets": _dataset, "metrics": _metric, "validators": _validator}


def _purpose(plugin: type[Any]) -> str:
    """Return the first paragraph of the class's docstring."""
    return " ".join((inspect.getdoc(plugin) or "").split("\n\n")[0].split())


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
