"""``uda-study methods``, ``datasets``, ``metrics``, ``validators``: what there is to choose."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Annotated, Any

import typer
from pydantic_core import to_jsonable_python
from rich.table import Table

from uda_study.cli.console import Screen
from uda_study.cli.options import JsonOption

_LONG = ("hyperparameters",)
KINDS = ("methods", "datasets", "metrics", "validators")


def command(kind: str) -> Callable[..., None]:
    """Return the command that lists the plugins of a kind."""

    def show(as_json: JsonOption = False) -> None:
        from uda_study import plugins

        entries = [_DESCRIBE[kind](name) for name in plugins.names(kind)]
        screen = Screen(as_json=as_json)
        if as_json:
            screen.result(entries)
        else:
            _print_table(screen, entries, [name for name in entries[0] if name not in _LONG])

    show.__doc__ = f"List the {kind} that there are to choose from."
    return _show_datasets if kind == "datasets" else show


def _show_datasets(
    name: Annotated[
        str | None, typer.Argument(help="The dataset to show whole, its files and options.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the datasets that there are to choose from, or show one of them whole."""
    from uda_study import plugins

    screen = Screen(as_json=as_json)
    names = plugins.names("datasets") if name is None else (name,)
    entries = [_dataset(each) for each in names]
    if as_json:
        screen.result(entries if name is None else entries[0])
    elif name is None:
        short = [{**entry, "paper": _dealt(entry["paper"])} for entry in entries]
        _print_table(screen, short, ["name", "summary", "paper"])
        screen.out.print(
            "\nuda-study datasets NAME shows licence, source, files and options of one."
        )
    else:
        _print_dataset(screen, entries[0])


def _print_table(screen: Screen, entries: list[dict[str, Any]], columns: list[str]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "))
    for entry in entries:
        table.add_row(*(_shown(entry[column]) for column in columns))
    screen.out.print(table)


def _print_dataset(screen: Screen, entry: dict[str, Any]) -> None:
    def line(text: str) -> None:
        screen.out.print(text, markup=False)

    line(f"{entry['name']}: {entry['summary']}")
    for title, field in (("licence", "licence"), ("cite", "citation"), ("ask at", "request")):
        line(f"{title + ':':<10}{entry[field]}")
    if entry["paper"] is not None:
        line(f"{'paper:':<10}{_dealt(entry['paper'])} ({entry['paper']['source']})")
    line("files below data.root:")
    for pattern in entry["tree"].splitlines():
        line(f"  {pattern}")
    if entry["options"]:
        line("options:")
    for option, facts in entry["options"].items():
        default = "required" if facts["required"] else json.dumps(facts["default"])
        line(f"  {option}: {default}" + (f"  {facts['what']}" if facts["what"] else ""))


def _dealt(paper: dict[str, Any] | None) -> str:
    """Return how a paper dealt its subjects, in short."""
    if paper is None:
        return ""
    folds = "1 fold" if paper["folds"] == 1 else f"{paper['folds']} folds"
    return f"{folds}, val {paper['val']:g}, test {paper['test']:g}"


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

    plugin: type[Dataset[Any]] = load("datasets", name, Dataset)
    return {
        "name": name,
        **plugin.info.model_dump(mode="json"),
        "paper": None if plugin.paper is None else plugin.paper.model_dump(mode="json"),
        "options": {
            option: {
                "required": field.is_required(),
                "default": None if field.is_required() else to_jsonable_python(field.default),
                "what": field.description,
            }
            for option, field in plugin.Options.model_fields.items()
        },
    }


def _metric(name: str) -> dict[str, Any]:
    from uda_study.metric import Metric
    from uda_study.plugins import load

    plugin = load("metrics", name, Metric)
    return {
        "name": name,
        "what": _purpose(plugin),
        "better": "higher" if plugin.higher_is_better else "lower",
        "measured": "always" if plugin.default else "where named",
        "unit": plugin.unit,
    }


def _validator(name: str) -> dict[str, Any]:
    from uda_study.plugins import load
    from uda_study.validator import Validator

    return {"name": name, "what": _purpose(load("validators", name, Validator))}


_DESCRIBE = {"methods": _method, "datasets": _dataset, "metrics": _metric, "validators": _validator}


def _purpose(plugin: type[Any]) -> str:
    """Return the first paragraph of the class's docstring."""
    return " ".join((inspect.getdoc(plugin) or "").split("\n\n")[0].split())


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
