"""The reference pages name everything that there is, and their examples work."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from uda_study import plugins
from uda_study.method import Method
from uda_study.nets.segmenters import SEGMENTERS
from uda_study.study.hyper import flatten_hyper, hyper_names
from uda_study.study.model import CategoricalParameter, FloatParameter, IntParameter, StudySpec
from uda_study.study.validate import load_study
from uda_study.testing import method_suite

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
METHODS = {name: plugins.load("methods", name, Method) for name in plugins.names("methods")}


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


def table(text: str) -> dict[str, list[str]]:
    """Return the cells of all table rows that begin with a name in backticks, by that name."""
    lines = re.findall(r"^\| \[?`([^`]+)`(?:\]\([^)]*\))? \|(.*)\|$", text, re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split("|")] for name, rest in lines}


def section(text: str, heading: str) -> str:
    return re.split(r"^#+ ", text.split(f"\n{heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def block(text: str, language: str, holding: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (wanted,) = [code for code in found if holding in code]
    return str(wanted)


def plain(value: Any) -> str:
    if isinstance(value, float):
        return f"`{value:g}`" if value != int(value) else f"`{value}`"
    return f"`{json.dumps(value)}`"


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    """Yield every dotted key of a study file with its default; None for a section."""
    for name, field in model.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            yield f"{prefix}{name}", None
            yield from keys(nested, f"{prefix}{name}.")
        elif field.default is PydanticUndefined:
            yield f"{prefix}{name}", "required"
        else:
            yield f"{prefix}{name}", plain(field.default)


def test_the_study_file_page_has_every_key_and_default():
    rows = table(page("study-file"))
    expected = {k: default for k, default in keys(StudySpec) if k != "fixed"}
    assert sorted(expected.keys() - rows.keys()) == []
    shown = {key: rows[key][1] for key, default in expected.items() if default is not None}
    assert shown == {key: default for key, default in expected.items() if default is not None}


@pytest.mark.parametrize("kind", [FloatParameter, IntParameter, CategoricalParameter])
def test_the_study_file_page_has_every_kind_of_parameter(kind):
    (name,) = kind.model_fields["type"].annotation.__args__
    rows = table(section(page("study-file"), f"### {name}"))
    assert {key: row[1] for key, row in rows.items()} == dict(keys(kind))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_page_with_a_figure(name):
    text = page(f"methods/{name}")
    assert text.startswith(f"# {name}\n\n![networks and losses](../images/methods/{name}.svg)\n")
    assert (DOCS / "images" / "methods" / f"{name}.svg").is_file()
    assert f"[`{name}`](methods/{name}.md)" in page("methods")


@pytest.mark.parametrize("name", METHODS)
def test_every_hyperparameter_is_documented_with_its_default(name):
    rows = table(page("methods")) | table(page(f"methods/{name}"))
    assert sorted(set(hyper_names(METHODS[name])) - rows.keys()) == []
    defaults = flatten_hyper(METHODS[name].Hyper())
    shown = {key: rows[key][0] for key in defaults}
    assert shown == {key: plain(value) for key, value in defaults.items()}


def test_the_methods_page_has_the_legal_depths():
    rows = table(section(page("methods"), "## Depth"))
    shown = {name: tuple(int(cell) for cell in cells if cell) for name, cells in rows.items()}
    assert shown == {name: network.group_ends[:-1] for name, network in SEGMENTERS.items()}


def test_the_methods_page_has_every_segmenter_with_its_width():
    rows = table(section(page("methods"), "## Segmenters"))
    assert {n: int(row[1]) for n, row in rows.items()} == {
        name: network.default_width for name, network in SEGMENTERS.items()
    }


def test_the_pages_have_every_metric_and_validator():
    text = page("protocol") + page("metrics")
    names = [*plugins.names("metrics"), *(f"blind/{n}" for n in plugins.names("validators"))]
    assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize("heading", ["## To run", "## For a place", "## To develop"])
def test_the_dependencies_page_has_each_dependency_and_no_other(heading):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    develop = extras.pop("dev")
    wanted = {
        "## To run": project["dependencies"],
        "## For a place": [requirement for extra in extras.values() for requirement in extra],
        "## To develop": [one for one in develop if not one.startswith("uda-study[")],
    }[heading]
    names = {re.split(r"[\[<>=~ ;]", requirement)[0] for requirement in wanted}
    assert table(section(page("dependencies"), heading)).keys() == names


@pytest.fixture(scope="module")
def deep_coral() -> type[Method[Any]]:
    """Return the class of the tutorial, as the page has it."""
    module: dict[str, Any] = {"__name__": "my_package.deep_coral"}
    code = block(page("own-method"), "python", "class DeepCoral(")
    exec(compile(code, "own-method.md", "exec", dont_inherit=True), module)
    made: type[Method[Any]] = module["DeepCoral"]
    return made


def test_the_own_method_is_short():
    code = block(page("own-method"), "python", "class DeepCoral(")
    assert len([line for line in code.splitlines() if line.strip()]) < 65


@pytest.mark.parametrize("check", method_suite.CHECKS, ids=method_suite.check_name)
def test_the_own_method_keeps_the_contract(deep_coral, check):
    check(deep_coral, 2)


def test_the_study_of_the_own_method_is_valid(deep_coral, monkeypatch, tmp_path):
    found = plugins._outside
    entry = tomllib.loads(block(page("own-method"), "toml", "entry-points"))["project"]
    assert entry["entry-points"] == {
        "uda_study.methods": {"deep_coral": "my_package.deep_coral:DeepCoral"}
    }
    point = {"deep_coral": SimpleNamespace(load=lambda: deep_coral)}
    monkeypatch.setattr(
        plugins, "_outside", lambda kind: found(kind) | (point if kind == "methods" else {})
    )
    file = tmp_path / "study.yaml"
    file.write_text(block(page("own-method"), "yaml", "deep_coral"))
    _forget()
    try:
        assert load_study(file).spec.matrix["method"] == ("deep_coral", "dam")
    finally:
        _forget()


def _forget() -> None:
    plugins.names.cache_clear()
    plugins.load.cache_clear()
