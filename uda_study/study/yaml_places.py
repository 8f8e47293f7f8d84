"""YAML as plain values of which each knows its place; what readers of YAML disagree on is refused.

The loader works on the parser's events, so that no tag, anchor or merge key is ever acted upon.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLStreamError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from uda_study.errors import InputError, Problem
from uda_study.types import JSON

KeyPath = tuple[str | int, ...]
"""The keys and list positions that lead to a value, e.g. ``("parameters", "optim.lr", "low")``."""

MAX_DEPTH = 20
MAX_VALUES = 20_000
MAX_DIGITS = 18

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_FINITE = "must be a finite number"
_BARE = "write the decimal number, or put text in quotes"
_REFUSED = tuple(
    (re.compile(pattern, re.IGNORECASE), rule, remedy)
    for pattern, rule, remedy in (
        (
            "yes|no|on|off",
            "must be true or false, or text in quotes: YAML readers disagree",
            None,
        ),
        (
            r"[-+]?0[0-9_]+(\.[0-9]*)?",
            "must not start with 0, which some YAML readers take for octal",
            _BARE,
        ),
        ("[-+]?0[xob][0-9a-f_]+", "must be a decimal number", _BARE),
        (r"[-+]?\.(inf|nan)", _FINITE, None),
        (rf"[-+]?[1-9][0-9]{{{MAX_DIGITS},}}", f"must have at most {MAX_DIGITS} digits", None),
    )
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}


@dataclass(frozen=True, order=True)
class Place:
    """Where a value was written: ``dam_depth.yaml:9`` or ``--set optim.lr``; ordered by reading."""

    order: int
    label: str


@dataclass(frozen=True)
class Finding:
    """One problem of the value at a key path."""

    at: KeyPath
    rule: str
    value: str | None = None
    remedy: str | None = None


@dataclass(frozen=True)
class Document:
    """A YAML document: its plain value, every value's place, and what is wrong with single values.

    A value with a finding stands in the document as the text that was written.
    """

    value: JSON
    places: dict[KeyPath, Place] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def mapping(self) -> dict[str, JSON]:
        """Return the value of a document that must be a mapping; `InputError` if it is none."""
        if not isinstance(self.value, dict):
            raise InputError.of(self.places[()].label, "must be a mapping of keys to values")
        return self.value


def read_yaml(text: str, place: Callable[[int], Place]) -> Document:
    """Parse one YAML 1.2 document; ``place`` names a line (the first is 1).

    Raises `InputError` where nothing can be read: bad syntax, several documents, too deep, too big.
    """
    builder = _Builder(place)
    try:
        return builder.document(YAML(typ="safe", pure=True).parse(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        raise builder.stop(line, f"is not valid YAML: {error.problem or error.context}") from None
    except (YAMLError, YAMLStreamError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise builder.stop(1, f"is not valid YAML: {reason}") from None


class _Builder:
    """Builds plain values from parser events, noting places and findings on the way."""

    def __init__(self, place: Callable[[int], Place]) -> None:
        self._place = place
        self._places: dict[KeyPath, Place] = {(): place(1)}
        self._findings: list[Finding] = []

    def stop(self, line: int, rule: str, remedy: str | None = None) -> InputError:
        """Return the error that ends the reading, with the findings made so far."""
        noted = [
            Problem(f"{self._places[f.at].label} {dotted(f.at)}", f.rule, f.value, f.remedy)
            for f in self._findings
        ]
        return InputError([*noted, Problem(self._place(line).label, rule, None, remedy)])

    def document(self, events: Iterator[Any]) -> Document:
        value: JSON = None
        documents = 0
        for event in events:
            line = event.start_mark.line + 1
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self.stop(line, "must be a single YAML document", "remove the '---'")
                if event.version is not None or event.tags:
                    raise self.stop(line, "must not have YAML directives", "remove the '%' line")
                value = self._value(next(events), events, ())
            elif isinstance(event, StreamEndEvent):
                break
        return Document(value, self._places, tuple(self._findings))

    def _value(self, event: Any, events: Iterator[Any], at: KeyPath) -> JSON:
        line = event.start_mark.line + 1
        self._places.setdefault(at, self._place(line))
        if len(at) > MAX_DEPTH:
            raise self.stop(line, f"must not be nested deeper than {MAX_DEPTH} levels")
        if len(self._places) > MAX_VALUES:
            raise self.stop(line, f"must not hold more than {MAX_VALUES} values")
        if isinstance(event, AliasEvent) or event.anchor is not None:
            raise self.stop(line, "must not use anchors (&) or aliases (*)", "write the value out")
        if event.tag is not None:
            raise self.stop(line, "must not use tags (!)", "write the plain value")
        if isinstance(event, MappingStartEvent):
            return self._mapping(events, at)
        if isinstance(event, SequenceStartEvent):
            items: list[JSON] = []
            while not isinstance(event := next(events), SequenceEndEvent):
                items.append(self._value(event, events, (*at, len(items))))
            return items
        return self._scalar(event, at)

    def _mapping(self, events: Iterator[Any], at: KeyPath) -> JSON:
        values: dict[str, JSON] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, ScalarEvent):
                raise self.stop(line, "must have plain text as keys", "write one word per key")
            if event.implicit[0] and event.value == "<<":
                raise self.stop(line, "must not use merge keys (<<)", "write the values out")
            key = event.value
            if _SURROGATE.search(key):
                raise self.stop(line, "must be text that can be written as UTF-8")
            here = (*at, key)
            if key in values:
                first = self._places[here].label
                # A second place, so that the finding points at the repetition.
                repeated = (*here, "")
                self._places[repeated] = self._place(line)
                self._findings.append(
                    Finding(repeated, f"is given twice, first at {first}", None, "keep one")
                )
                self._value(next(events), events, (*repeated, "value"))
                continue
            self._places[here] = self._place(line)
            values[key] = self._value(next(events), events, here)
        return dict(values)

    def _scalar(self, event: ScalarEvent, at: KeyPath) -> JSON:
        text: str = event.value
        if not event.implicit[0] or event.style is not None:
            if _SURROGATE.search(text):
                self._findings.append(Finding(at, "must be text that can be written as UTF-8"))
                return ""
            return text
        value, rule, remedy = _plain(text)
        if rule is not None:
            self._findings.append(Finding(at, rule, text, remedy))
        return value


def _plain(text: str) -> tuple[JSON, str | None, str | None]:
    """Return the value of an unquoted scalar, and the rule and remedy where it is refused."""
    for pattern, rule, remedy in _REFUSED:
        if pattern.fullmatch(text):
            return text, rule, remedy
    if _INT.fullmatch(text):
        return int(text), None, None
    if _FLOAT.fullmatch(text):
        value = float(text)
        return (value, None, None) if math.isfinite(value) else (text, _FINITE, None)
    return _WORDS.get(text, text), None, None


def dotted(at: KeyPath) -> str:
    """Return the path as it is written in messages: ``parameters.optim.lr.low``, ``enqueue[0]``.

    >>> dotted(("enqueue", 0, "optim.lr"))
    'enqueue[0].optim.lr'
    """
    text = ""
    for key in at:
        if isinstance(key, int):
            text += f"[{key}]"
        elif key:
            text += f".{key}" if text else key
    return text
