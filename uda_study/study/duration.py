"""Durations as people write them: ``8h``, ``90m``, ``1h30m``."""

from __future__ import annotations

import re

from uda_study.errors import InputError

_UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,9}}){unit})?" for unit in _UNITS))


def seconds(text: str) -> int:
    """Return the seconds of a text such as ``1h30m``; `InputError` for anything else.

    >>> seconds("1h30m")
    5400
    """
    match = _DURATION.fullmatch(text)
    counts = match.groups() if match else ()
    total = sum(
        int(count or 0) * unit for count, unit in zip(counts, _UNITS.values(), strict=False)
    )
    if total == 0:
        rule = "must be a time above zero such as 8h, 90m or 1h30m"
        raise InputError.of("duration", rule, repr(text))
    return total


def readable(time: float) -> str:
    """Return a time in seconds in its two largest units.

    >>> readable(5400), readable(42.4)
    ('1 h 30 min', '42 s')
    """
    total = round(time)
    names = {"d": 86_400, "h": 3600, "min": 60, "s": 1}
    parts = []
    for name, unit in names.items():
        count, total = divmod(total, unit)
        parts.append((count, name))
    first = next((i for i, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {name}" for count, name in parts[first : first + 2] if count) or "0 s"
