"""How figures are written in tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence

from uda_study.study.statistics import Interval

MISSING = "-"


def number(value: float | None) -> str:
    """Return three decimals.

    >>> number(0.7411), number(None)
    ('0.741', '-')
    """
    return MISSING if value is None else f"{value:.3f}"


def p_value(value: float | None) -> str:
    """Return three decimals, or that there are not enough of them.

    >>> p_value(0.0131), p_value(0.0004)
    ('0.013', '<0.001')
    """
    return "<0.001" if value is not None and value < 0.001 else number(value)


def signed(value: float | None) -> str:
    """Return three decimals with the sign; none for what is 0 so.

    >>> signed(0.0261), signed(-0.5), signed(-0.0001)
    ('+0.026', '-0.500', '0.000')
    """
    if value is None:
        return MISSING
    text = f"{value:+.3f}"
    return text[1:] if float(text) == 0 else text


def interval(bounds: Interval) -> str:
    """Return the interval of a value.

    >>> interval((0.718, 0.762)), interval((None, None))
    ('[0.718, 0.762]', '-')
    """
    return MISSING if bounds[0] is None else f"[{number(bounds[0])}, {number(bounds[1])}]"


def signed_interval(bounds: Interval | Sequence[float]) -> str:
    """Return the interval of a difference.

    >>> signed_interval((-0.02, 0.034))
    '[-0.020, +0.034]'
    """
    return MISSING if bounds[0] is None else f"[{signed(bounds[0])}, {signed(bounds[1])}]"
