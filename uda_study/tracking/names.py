"""How a study is spelled in MLflow: tags, run names, parameters; nothing private among them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from uda_study.study.trial import Cell, TrialSpec
from uda_study.types import JSON

STUDY, CELL, KEY, KIND = "uda.study", "uda.cell", "uda.key", "uda.kind"
STATUS, MESSAGE, NONFINITE, FILES = "uda.status", "uda.message", "uda.nonfinite", "uda.files"
MODEL, DROPPED = "uda.model", "dropped"
PARENT = "mlflow.parentRunId"
CELL_KIND = "cell"
RUN_STATUS = {"complete": "FINISHED", "pruned": "FINISHED"}
"""All other endings of a training are FAILED in MLflow; the tag ``uda.status`` tells which."""

_LONGEST = {"param": 6000, "tag": 5000}
_ABSOLUTE = re.compile(r"(?<![\w.])/(?:[^/\s'\"<>|:,;]+/)+([^/\s'\"<>|:,;)\]}]*)")


def redact(text: str) -> str:
    """Return the text without absolute paths; of a path to source code, its last part stays.

    The name of an image or of a folder of images may be that of a patient.

    >>> redact("cannot read '/home/ann/scans/ct_3.nii' in /home/ann/code/trial.py")
    "cannot read '...' in .../trial.py"
    """
    return _ABSOLUTE.sub(lambda found: f".../{found[1]}" if _is_code(found[1]) else "...", text)


def _is_code(name: str) -> bool:
    return name.endswith((".py", ".so", ".yaml"))


def study_tags(study: str, tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that all runs of a study carry; bare names get the prefix ``uda.``."""
    named = {f"uda.{name.removeprefix('uda.')}": clip(redact(text)) for name, text in tags.items()}
    commit = {"mlflow.source.git.commit": c} if (c := named.get("uda.git_commit")) else {}
    return {
        **named,
        **commit,
        STUDY: study,
        "mlflow.user": "uda-study",
        "mlflow.source.name": "uda-study",
    }


def cell_tags(cell: Cell) -> dict[str, str]:
    """Return the tags of a cell's own run."""
    return {
        CELL: clip(cell.key),
        KIND: CELL_KIND,
        "uda.method": cell.method,
        "uda.direction": str(cell.direction),
        "uda.factors": clip(json.dumps(dict(cell.factors), sort_keys=True)),
    }


def trial_tags(spec: TrialSpec, factors: Mapping[str, JSON], supervision: str) -> dict[str, str]:
    """Return the tags of a training's run."""
    return {
        KEY: spec.key,
        CELL: clip(spec.cell),
        KIND: spec.kind,
        "uda.number": str(spec.number),
        "uda.method": spec.method,
        "uda.direction": spec.direction,
        "uda.fold": str(spec.fold),
        "uda.seed": str(spec.seed),
        "uda.supervision": supervision,
        "uda.factors": clip(json.dumps(dict(factors), sort_keys=True)),
    }


def run_name(spec: TrialSpec) -> str:
    """Return what the runs' table shows, such as ``search 3`` or ``confirm seed 1``."""
    fold = f" fold {spec.fold}" if spec.fold else ""
    if spec.kind == "search":
        return f"search {spec.number}{fold}"
    subject = spec.method if spec.kind == "baseline" else "confirm"
    return f"{subject} seed {spec.seed}{fold}"


def encode(value: JSON) -> str:
    """Return a parameter's text: JSON, without quotes where a string cannot be mistaken.

    >>> [encode(v) for v in (1e-4, True, "wasserstein", "3")]
    ['0.0001', 'true', 'wasserstein', '"3"']
    """
    if isinstance(value, str) and decode(value) == value:
        return clip(redact(value), "param")
    return clip(json.dumps(value, sort_keys=True), "param")


def decode(text: str) -> JSON:
    """Return the value that `encode` wrote."""
    try:
        value: JSON = json.loads(text)
    except ValueError:
        return text
    return value


def clip(text: str, what: str = "tag") -> str:
    """Return the text, cut to what every MLflow store accepts."""
    longest = _LONGEST[what]
    return text if len(text) <= longest else text[: longest - 3] + "..."
