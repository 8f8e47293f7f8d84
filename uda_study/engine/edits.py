"""Edits of a study that has begun: its search may be extended, what results depend on may not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from uda_study.engine.job import Home
from uda_study.errors import InputError, Problem
from uda_study.study.cells import cells, num_trials, of_the_result, study_id
from uda_study.study.schema_errors import shown
from uda_study.study.source import SourcedStudy, read_study
from uda_study.types import JSON

STUDY, ORIGINAL = "study.yaml", "original.yaml"
_OPTION = "--num-samples"


@dataclass(frozen=True)
class Change:
    """A setting by its dotted key, as it was and as it is; None where there was or is none."""

    key: str
    old: JSON
    new: JSON

    def __str__(self) -> str:
        return f"{self.key}: {_said(self.old)} -> {_said(self.new)}"


def changes(old: Mapping[str, JSON], new: Mapping[str, JSON]) -> tuple[Change, ...]:
    """Return what differs between two resolved studies in what results depend on, by key."""
    return tuple(_differences(of_the_result(old), of_the_result(new)))


def stored_study(folder: Path) -> dict[str, Any] | None:
    """Return the resolved settings that the study of this folder has; None without a study."""
    path = folder / STUDY
    if not path.exists():
        return None
    found: dict[str, Any] = plain(YAML(typ="safe", pure=True).load(path.read_text("utf-8")))
    return found


def plain(value: Any) -> Any:
    """Return the value as it comes back from JSON."""
    return json.loads(json.dumps(value))


def extended(sourced: SourcedStudy, text: str) -> SourcedStudy:
    """Return the study with a longer search: ``+20`` trials more per cell, or ``28`` in all.

    Raises `InputError` for anything but more trials, and where nothing is searched.
    """
    search = sourced.spec.search
    if not re.fullmatch(r"\+?[0-9]+", text):
        raise InputError.of(_OPTION, "must be a whole number such as 28, or +20", repr(text))
    wanted = int(text) + search.num_samples * text.startswith("+")
    if wanted <= search.num_samples:
        raise InputError.of(
            _OPTION,
            f"must be more than the {search.num_samples} trials per cell that the study has",
            text,
            "a search that has been seen is not shortened; name a new study",
        )
    if not any(num_trials(sourced.spec, cell) for cell in cells(sourced.spec)):
        raise InputError.of(_OPTION, "nothing is searched in this study", text)
    return _with_samples(sourced, wanted, (*search.extended_from, search.num_samples))


def as_extended(sourced: SourcedStudy, home: Home) -> SourcedStudy:
    """Return the study with the extensions that it has had here; its file may not know of them."""
    stored = stored_study(home.study(study_id(sourced.resolved)))
    search = (stored or {}).get("search", {})
    before, samples = tuple(search.get("extended_from", ())), search.get("num_samples", 0)
    if not before or samples <= sourced.spec.search.num_samples:
        return sourced
    return _with_samples(sourced, samples, before)


def refuse_edits(sourced: SourcedStudy, folder: Path) -> None:
    """Raise `InputError` where a begun study's file no longer gives the study of its folder.

    What was edited is told from the file as it was first written, as far as that alone gave the
    study.
    """
    if study_id(sourced.resolved) == folder.name:
        return
    remedy = "put it back; to try other settings, run a file of your own: that is a new study"
    edited: tuple[Change, ...] = ()
    if (folder / ORIGINAL).is_file():
        first = read_study(folder / ORIGINAL)
        if study_id(first.resolved) == folder.name:
            edited = changes(first.resolved, sourced.resolved)
    rule = "results depend on it, and the study was begun with another value"
    raise InputError(
        [Problem(_where(sourced, c.key), rule, _arrow(c), _remedy(c, remedy)) for c in edited]
        or [Problem(f"study {folder.name}", f"its {STUDY} was edited", None, remedy)]
    )


def refusal(folder: Path, found: Iterable[Change]) -> InputError:
    """Return the error for a study that exists here with other settings, one problem per key."""
    stored = read_study(folder / STUDY)
    remedy = "give the new study another name, or remove the old one's folder"
    return InputError(
        Problem(
            f"study {folder.name} {_where(stored, change.key)}",
            "exists with another value",
            _arrow(change),
            remedy,
        )
        for change in found
    )


def nearest_study(sourced: SourcedStudy, home: Home) -> tuple[str, tuple[Change, ...]] | None:
    """Return the study of this name that differs least from a new one, and in what."""
    identity = study_id(sourced.resolved)
    name = sourced.spec.name
    if home.study(identity).exists():
        return None
    found = []
    for path in sorted(home.path.glob(f"studies/{name}-*/{STUDY}")):
        stored = stored_study(path.parent)
        if stored is not None and stored.get("name") == name:
            found.append((path.parent.name, changes(stored, sourced.resolved)))
    return min(found, key=lambda one: len(one[1]), default=None)


def _with_samples(sourced: SourcedStudy, wanted: int, before: tuple[int, ...]) -> SourcedStudy:
    search = sourced.spec.search.model_copy(update={"num_samples": wanted, "extended_from": before})
    spec = sourced.spec.model_copy(update={"search": search})
    return replace(sourced, spec=spec, resolved=spec.to_json())


def _differences(old: Any, new: Any, at: str = "") -> Iterator[Change]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key), new.get(key), f"{at}.{key}".strip("."))
    elif plain(old) != plain(new):
        yield Change(at, old, new)


def _where(sourced: SourcedStudy, key: str) -> str:
    """Name file and line of a key; hyperparameters have dots in their own names."""
    section, _, rest = key.partition(".")
    paths = [(section, rest), tuple(key.split("."))]
    known = next((path for path in paths if path in sourced.places), paths[1])
    return sourced.where(known)


def _arrow(change: Change) -> str:
    return f"{_said(change.old)} -> {_said(change.new)}"


def _remedy(change: Change, otherwise: str) -> str:
    if change.key == "search.num_samples":
        return f"put it back; uda-study resume {_OPTION} extends a search"
    return otherwise


def _said(value: JSON) -> str:
    return "nothing" if value is None else shown(value)
