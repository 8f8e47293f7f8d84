"""With what it was computed: code, images, software; and whom to cite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import uda_study
from uda_study import plugins
from uda_study.dataset import Dataset
from uda_study.errors import InputError
from uda_study.method import Method
from uda_study.report.page_style import folded, table
from uda_study.report.section import Exhibit, Material, Section
from uda_study.study.written import study_text

_NAMED = ("uda-study", "torch", "ray", "optuna", "mlflow", "numpy", "scipy", "nibabel")


def section(material: Material) -> Section:
    """Return commit, hashes and versions, and how to cite all that was used."""
    return Section(
        "Provenance",
        "With the same commit, software and images the study can be run again: the resolved study "
        "file below has every default written out.",
        (
            Exhibit("", html=_facts(material)),
            Exhibit("", html=folded("Resolved study file", _pre(study_text(material.spec)))),
            Exhibit("", html=folded("Images by content (SHA-256)", _hashes(material.data))),
            Exhibit(
                "", html=folded("Whole environment", _pre(material.environment, "columns"))
            ),
            Exhibit("", html=f"<h3>How to cite</h3>{_citations(material)}"),
        ),
    )  # fmt: skip


def _facts(material: Material) -> str:
    lines = material.environment.splitlines()
    versions = dict(line.split("==", 1) for line in lines if "==" in line)
    facts = [
        ("study", material.study),
        ("git commit", _several(material, "git_commit")),
        ("splits (SHA-256)", _several(material, "data_sha")),
        ("platform", lines[0].lstrip("# ") if lines else "unknown"),
        ("versions", ", ".join(f"{n} {versions[n]}" for n in _NAMED if n in versions)),
        ("trainings", str(len(material.runs))),
    ]
    if len(material.runs) and material.runs["start"].notna().any():
        first, last = material.runs["start"].min(), material.runs["end"].max()
        facts.append(("trained", f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"))
    items = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f"<dl>{items}</dl>"


def _several(material: Material, column: str) -> str:
    found = sorted({str(value) for value in material.runs[column] if value})
    return ", ".join(found) or "unknown"


def _hashes(data: Mapping[str, Any]) -> str:
    rows = [
        [name, content["image"][:16], (content["label"] or "–")[:16]]
        for name, content in data["cases"].items()
    ]
    return table(["case", "image", "label"], rows) + '<p class="note">The first 16 digits.</p>'


def _citations(material: Material) -> str:
    items = "".join(
        f"<li><b>{escape(what)}</b>{escape(text)}</li>" for what, text in _cited(material)
    )
    commit = _several(material, "git_commit")
    bibtex = (
        "@software{uda_study,\n"
        "  title   = {uda-study: " + str(uda_study.__doc__).strip().splitlines()[0] + "},\n"
        f"  version = {{{uda_study.__version__}}},\n"
        f"  note    = {{commit {commit}}}\n}}"
    )
    return f'<ul class="words">{items}</ul>{_pre(bibtex)}'


def _cited(material: Material) -> Iterator[tuple[str, str]]:
    yield "uda-study", f"version {uda_study.__version__}, commit {_several(material, 'git_commit')}"
    for name in sorted(set(material.runs["method"])):
        yield name, _method(name)
    dataset = str(material.spec["data"]["dataset"])
    yield dataset, _dataset(dataset)


def _method(name: str) -> str:
    try:
        plugin: type[Method[Any]] = plugins.load("methods", name, Method)
    except InputError:
        return "a method that is not installed here"
    return plugin.paper


def _dataset(name: str) -> str:
    try:
        info = plugins.load("datasets", name, Dataset).info
    except InputError:
        return "a dataset that is not installed here"
    return f"{info.citation} (licence: {info.licence})"


def _pre(text: str, kind: str = "") -> str:
    return f'<pre class="{kind}">{escape(text)}</pre>' if kind else f"<pre>{escape(text)}</pre>"
