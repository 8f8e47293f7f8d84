"""How the study was made: who is in which role, what is read, how it was chosen and measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from uda_study.report.page_style import table
from uda_study.report.section import Exhibit, Material, Section
from uda_study.study.rules import RANK_AVERAGE

_ROLES = {
    "source_train": "training, with labels",
    "source_val": "validation of source segmenters, blind scores' reference",
    "source_test": "held out: nothing is trained on it",
    "target_adapt": "adaptation, images only",
    "target_bound": "training of the upper bound alone, with labels",
    "target_val": "oracle scores, never a training",
    "target_test": "the leaderboard, after training",
}


def section(material: Material) -> Section:
    """Return the facts of the study's protocol, and the sizes of its splits."""
    facts = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _facts(material)
    )
    return Section(
        "Protocol",
        "Every cell has the same budget. Its settings are searched on fold 0 with one seed, chosen "
        "without target labels, trained anew on fresh seeds, and only then measured.",
        (
            Exhibit("", html=f"<dl>{facts}</dl>"),
            Exhibit(
                "Cases by role. Roles are dealt by subject, so no subject is on both sides of a "
                "line between training and test. Cases of target_adapt and target_bound may be the "
                "same: one reads images, the other is the upper bound.",
                html=_roles(material.data),
            ),
        ),
    )


def _facts(material: Material) -> Iterator[tuple[str, str]]:
    spec, board = material.spec, material.board
    split, search, confirm = (
        spec["data"]["split"], spec["search"], spec["confirm"],
    )  # fmt: skip
    yield "dataset", str(spec["data"]["dataset"])
    compared = spec["matrix"].get("method") or [spec.get("method")]
    yield "methods", ", ".join(str(name) for name in compared if name)
    for name, values in spec["matrix"].items():
        if name != "method":
            yield name, ", ".join(_plain(value) for value in values)
    yield "supervision", ", ".join(sorted({each.supervision for each in board.tables}))
    yield (
        "split",
        (
            f"{split['protocol']}: {split['val']:.0%} of subjects for validation, "
            f"{split['test']:.0%} for the test, seed {split['seed']}, folds {spec['data']['folds']}"
        ),
    )
    yield (
        "search",
        (
            f"{search['num_samples']} trials of each cell, sampler {search['alg']}, seed "
            f"{search['seed']}; early stopping: {spec['scheduler']['type']}"
        ),
    )
    yield "searched", _parameters(spec["parameters"])
    yield "seen by the sampler", f"{spec['metric']} ({spec['mode']})"
    chosen = board.selected_by.replace(RANK_AVERAGE, "average rank of the blind scores")
    yield "chosen within each cell by", chosen
    yield (
        "confirmed",
        (
            f"first {confirm['top_k']} on seeds {', '.join(map(str, confirm['seeds']))}"
            f" (baselines too: {', '.join(spec['baselines']) or 'none'})"
        ),
    )
    budget = {name: value for name, value in spec["budget"].items() if value is not None}
    yield "limits", ", ".join(f"{name} {value}" for name, value in budget.items()) or "none"
    preset, own = (spec["data"]["augmentation"][name] for name in ("preset", "transforms"))
    changed = [name for name in (preset, "transforms of its own" if own else "") if name]
    yield "augmentation of labelled source images", " with ".join(changed)
    steps = [name.replace("_", " ") for name, on in spec["postprocess"].items() if on]
    yield "after prediction", ", ".join(steps) or "nothing"
    yield "metrics", ", ".join(sorted(set(material.cases["metric"])))


def _parameters(parameters: Mapping[str, Any]) -> str:
    """Return what is searched, with its range."""
    found = []
    for name, value in parameters.items():
        if not isinstance(value, Mapping):
            continue
        if value["type"] == "categorical":
            found.append(f"{name} in {{{', '.join(_plain(each) for each in value['choices'])}}}")
        else:
            scale = ", log" if value.get("log") else ""
            found.append(f"{name} in [{value['low']:g}, {value['high']:g}{scale}]")
    return "; ".join(found) or "nothing"


def _roles(data: Mapping[str, Any]) -> str:
    splits = data["splits"]
    head = ["role", "used for", *splits]
    rows = [
        [role, use, *(str(len(split["roles"].get(role, ()))) for split in splits.values())]
        for role, use in _ROLES.items()
        if any(split["roles"].get(role) for split in splits.values())
    ]
    return table(head, rows)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
