"""What ``data.split`` says in one word, filled in from the paper that used the dataset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from uda_study import plugins
from uda_study.dataset import Dataset, PaperProtocol
from uda_study.errors import InputError
from uda_study.study.yaml_places import Finding
from uda_study.types import JSON

_SPLIT = ("data", "split")
_PROTOCOL = (*_SPLIT, "protocol")


def expand_split(values: dict[str, JSON]) -> Iterable[Finding]:
    """Turn ``split: NAME`` into a section; where a protocol is named, take shares and folds.

    ``paper`` takes the paper's as they are, ``strict`` keeps its own share for validation where the
    paper had none. What the file gives itself is kept.
    """
    data = values.get("data")
    if not isinstance(data, dict):
        return
    split = data.get("split")
    if isinstance(split, str):
        split = data["split"] = {"protocol": split}
    if not isinstance(split, dict) or split.get("protocol") not in ("paper", "strict"):
        return
    paper = _paper_of(data)
    if paper is None:
        if split["protocol"] == "paper":
            rule = f"the dataset {data.get('dataset')!r} comes with no paper's protocol"
            yield Finding(_PROTOCOL, rule, None, "choose strict or transductive")
        return
    if split["protocol"] == "paper" or paper.val > 0:
        split.setdefault("val", paper.val)
    split.setdefault("test", paper.test)
    data.setdefault("folds", paper.folds)


def _paper_of(data: dict[str, JSON]) -> PaperProtocol | None:
    """Return the protocol of the dataset, None where there is none or no such dataset."""
    try:
        plugin: type[Dataset[Any]] = plugins.load("datasets", str(data.get("dataset")), Dataset)
        return plugin.paper_protocol(plugin.Options.model_validate(data.get("options") or {}))
    except (InputError, ValidationError):
        return None  # what is wrong with the dataset is found where it is looked at
