"""A weight that rises from nearly nothing to its full size."""

from __future__ import annotations

import math


def ramp_up(step: int, length: int) -> float:
    """Return exp(-5 (1 - t)^2) with t = step / length, and 1 from ``length`` on.

    The shape of Laine and Aila (ICLR 2017), used for self-ensembling ever since; a length of 0 is
    no ramp.

    >>> [round(ramp_up(step, 2), 3) for step in range(4)]
    [0.007, 0.287, 1.0, 1.0]
    >>> ramp_up(0, 0)
    1.0
    """
    if step >= length:
        return 1.0
    return math.exp(-5.0 * (1.0 - step / length) ** 2)
