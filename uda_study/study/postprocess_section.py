"""Whether a study's ``postprocess`` section names structures that the study has; needs no data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from uda_study import plugins
from uda_study.data.postprocess import PostprocessSpec
from uda_study.dataset import Dataset
from uda_study.errors import InputError
from uda_study.study.model import DataSpec, StudySpec
from uda_study.study.schema_errors import nearest, shown
from uda_study.study.yaml_places import Finding


def check_postprocess(spec: StudySpec) -> Iterator[Finding]:
    """Yield names that are no structure of ``data.labels`` or of the dataset, or stand twice."""
    steps = {name: getattr(spec.postprocess, name) for name in PostprocessSpec.model_fields}
    named = {step: names for step, names in steps.items() if not isinstance(names, bool)}
    known = _structures(spec.data) if named else None
    for step, names in named.items():
        if not names:
            rule = "must have at least 1 entries"
            yield Finding(("postprocess", step), rule, "[]", "write true for all, false for none")
        for number, name in enumerate(names):
            at = ("postprocess", step, number)
            if name in names[:number]:
                yield Finding(at, "is given twice", shown(name), "keep one")
            elif known is not None and name not in known:
                yield Finding(at, "unknown structure", shown(name), nearest(name, known))


def _structures(data: DataSpec) -> list[str] | None:
    """Return the names of the structures; None where what is wrong with the dataset hides them."""
    if data.labels is not None:
        return list(data.labels)
    try:
        plugin: type[Dataset[Any]] = plugins.load("datasets", data.dataset, Dataset)
        options = plugin.Options.model_validate(data.options)
        return list(plugin(options, data.root, Path()).preprocessing().labels)
    except (InputError, ValidationError):
        return None
