"""What a rule says of a claim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from uda_study.types import JSON

Verdict = Literal["reproduced", "contradicted", "inconclusive"]


@dataclass(frozen=True)
class Finding:
    """A verdict, the named figures that it rests on, and one sentence with the main ones."""

    verdict: Verdict
    figures: Mapping[str, JSON]
    sentence: str


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on a claim of several parts.

    It is reproduced if all of them are, and contradicted if any of them is.

    >>> together(["reproduced", "inconclusive"]), together(["inconclusive", "contradicted"])
    ('inconclusive', 'contradicted')
    """
    every = set(verdicts)
    if "contradicted" in every:
        return "contradicted"
    return "reproduced" if every == {"reproduced"} else "inconclusive"


def beyond(mean: float, interval: tuple[float, float], least: float) -> Verdict:
    """Judge an effect that is to exceed ``least``, which is 0 or more.

    Reproduced: the mean does, and its 95 % interval excludes 0. Contradicted: the whole interval
    lies below ``least``.

    >>> beyond(0.7, (0.6, 0.8), 0.5), beyond(0.7, (-0.1, 1.5), 0.5), beyond(0.3, (0.2, 0.4), 0.5)
    ('reproduced', 'inconclusive', 'contradicted')
    """
    low, high = interval
    if high < least:
        return "contradicted"
    return "reproduced" if mean > least and low > 0 else "inconclusive"


def by_count(agree: int, disagree: int, needed: int) -> Verdict:
    """Judge by how many seeds agree with a claim, and how many say the opposite.

    >>> by_count(4, 1, 4), by_count(1, 4, 4), by_count(3, 2, 4)
    ('reproduced', 'contradicted', 'inconclusive')
    """
    if agree >= needed:
        return "reproduced"
    return "contradicted" if disagree >= needed else "inconclusive"
