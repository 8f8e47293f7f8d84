"""Read a study file: typed values, the text as it was written, and the line of every value."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from uda_study.errors import InputError, Problem
from uda_study.remote import address_of
from uda_study.study.model import StudySpec
from uda_study.study.overrides import OVERRIDE, apply, fields_at
from uda_study.study.schema_errors import build, shown
from uda_study.study.split_section import expand_split
from uda_study.study.yaml_places import Finding, KeyPath, Place, dotted, read_yaml
from uda_study.types import JSON

MAX_BYTES = 1 << 20
_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}")
_ROOT = ("data", "root")


@dataclass(frozen=True)
class SourcedStudy:
    """A study with its origin.

    ``text`` is the file as it was written; ``resolved`` is the study as plain values in the form
    of a study file, overrides applied and defaults filled in.
    """

    spec: StudySpec
    text: str
    resolved: Mapping[str, JSON]
    places: Mapping[KeyPath, Place] = field(repr=False)

    def where(self, at: KeyPath) -> str:
        """Return ``dam_depth.yaml:9 parameters.dam.depth`` for the path of a value.

        What the file leaves out is placed at the section that would hold it.
        """
        return f"{_place(self.places, at).label} {dotted(at)}".rstrip()

    def error(self, findings: Iterable[Finding]) -> InputError:
        """Return the error that lists the findings in the order of the file."""
        return _error(self.places, findings)


def read_study(path: Path, overrides: Sequence[str] = ()) -> SourcedStudy:
    """Read a study file and apply ``key=value`` overrides.

    Raises `InputError` listing everything that is wrong with the form of the file; whether the
    values make sense together is for `uda_study.study.validate`.
    """
    study, findings = parse_study(path, overrides)
    if findings:
        raise study.error(findings)
    return study


def parse_study(
    path: Path, overrides: Sequence[str] = ()
) -> tuple[SourcedStudy, tuple[Finding, ...]]:
    """Read what can be read of a study file; values with findings are left at their defaults.

    Raises `InputError` where that leaves no study.
    """
    text = _text(path)
    document = apply(read_yaml(text, lambda line: Place(line, f"{path.name}:{line}")), overrides)
    values, places = document.mapping(), document.places
    findings = [
        *document.findings,
        *_expand_root(values, places, path.parent),
        *expand_split(values),
    ]
    if "fixed" in values:
        remedy = "write constants under parameters"
        findings.append(Finding(("fixed",), "unknown key", None, remedy))
    for finding in findings:
        _drop(values, finding.at)
    while True:
        built = build(StudySpec, _split(values), fields_at)
        if isinstance(built, StudySpec):
            return SourcedStudy(built, text, built.to_json(), places), tuple(findings)
        noted = {finding.at for finding in findings}
        findings += [finding for finding in built if finding.at not in noted]
        dropped = [_drop(values, finding.at) for finding in built]
        # What is required cannot be left out: nothing more can be learnt.
        if not any(dropped):
            raise _error(places, findings)


def _text(path: Path) -> str:
    if not path.is_file():
        raise InputError.of(str(path), "no such file", None, "give the path of a study file")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError.of(str(path), f"cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise InputError.of(path.name, f"must not be larger than {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError.of(f"{path.name}:{line}", "must be UTF-8 text") from None


def _expand_root(
    values: dict[str, JSON], places: Mapping[KeyPath, Place], folder: Path
) -> Iterable[Finding]:
    """Make ``data.root`` absolute: from the file's folder, from here where ``--set`` gave it."""
    data = values.get("data")
    root = data.get("root") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(root, str):
        return
    unset = [a or b for a, b in _VARIABLE.findall(root) if (a or b) not in os.environ]
    for variable in unset:
        rule = f"names the environment variable {variable}, which is not set"
        yield Finding(_ROOT, rule, shown(root), f"export {variable}")
    expanded = os.path.expanduser(os.path.expandvars(root))
    if address_of(Path(expanded)) is not None:
        data["root"] = expanded
        return
    start = Path.cwd() if places[_ROOT].label == OVERRIDE else folder
    data["root"] = os.path.abspath(start / expanded)


def _split(values: Mapping[str, JSON]) -> dict[str, JSON]:
    """Part what is searched from the constants beside it; a study file has both in one section."""
    both = values.get("parameters", {})
    if not isinstance(both, dict):
        return dict(values)
    searched: dict[str, JSON] = {n: value for n, value in both.items() if isinstance(value, dict)}
    fixed: dict[str, JSON] = {n: value for n, value in both.items() if n not in searched}
    return {**values, "parameters": searched, "fixed": fixed}


def _drop(values: dict[str, JSON], at: KeyPath) -> bool:
    """Leave out the value at a path; of a list, factor or parameter the whole; True if it was."""
    keys = list(takewhile(lambda key: isinstance(key, str), at))
    if keys[:1] in (["parameters"], ["matrix"]):
        keys = keys[:2]
    here: JSON = values
    for key in keys[:-1]:
        here = here.get(str(key)) if isinstance(here, dict) else None
    if not (keys and isinstance(here, dict) and keys[-1] in here):
        return False
    del here[str(keys[-1])]
    return True


def _place(places: Mapping[KeyPath, Place], at: KeyPath) -> Place:
    while at not in places:
        at = at[:-1]
    return places[at]


def _error(places: Mapping[KeyPath, Place], findings: Iterable[Finding]) -> InputError:
    placed = sorted(
        ((_place(places, finding.at), finding) for finding in findings), key=lambda pair: pair[0]
    )
    return InputError(
        Problem(f"{place.label} {dotted(found.at)}".rstrip(), found.rule, found.value, found.remedy)
        for place, found in placed
    )
