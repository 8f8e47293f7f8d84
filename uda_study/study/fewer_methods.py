"""A study of several methods run with some of them: what is said of the others falls away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from uda_study import plugins
from uda_study.study.hyper import spelled
from uda_study.types import JSON


def left_over(before: Mapping[str, JSON], after: Mapping[str, JSON]) -> set[str]:
    """Return the parameters that only methods which are no longer asked for have.

    What no method of the file has either stays, so that a misspelling is still found.
    """
    gone = _methods(before) - _methods(after)
    written = list(_mapping(after.get("parameters")))
    return _applying(gone, written) - _applying(_methods(after), written)


def _methods(values: Mapping[str, JSON]) -> set[str]:
    asked = _mapping(values.get("matrix")).get("method")
    names = asked if isinstance(asked, list) else [values.get("method")]
    return {name for name in names if isinstance(name, str)} & set(plugins.names("methods"))


def _applying(methods: Iterable[str], written: Iterable[str]) -> set[str]:
    names = list(written)
    return {name for method in methods for name in spelled(method, names).values()}


def _mapping(value: JSON) -> Mapping[str, JSON]:
    return value if isinstance(value, dict) else {}
