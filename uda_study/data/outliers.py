"""Cases that are unlike the others of their domain.

A case is compared by its robust z-score, |x - median| / (1.4826 MAD) (Iglewicz and Hoaglin, How to
detect and handle outliers, 1993). Their limit of 3.5 suits one look at one large sample; of eight
normal values one exceeds it in every eighth domain. At `LIMIT` that happens in one of forty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from uda_study.data.facts import PERCENTILES, CaseFacts
from uda_study.data.remarks import Remark, warning

LIMIT = 6.0
"""The robust z-score from which on a value is unusual."""

FEWEST = 8
"""Cases that a domain needs before intensities and volumes are compared."""

GRID_FACTOR = 1.5
"""How many times larger or smaller than the domain's median a spacing or an extent may be."""

_FEWEST_GRIDS = 3
_USUAL = 0.8
_SHOWN = 8
# Below these spreads a difference is no fault: shares of the domain's range, and of a volume.
_LEAST_INTENSITY = 0.02
_LEAST_VOLUME = 0.05


def outliers(domain: Sequence[CaseFacts]) -> Iterator[Remark]:
    """Yield what is unusual in the readable cases of one domain."""
    readable = [facts for facts in domain if facts.shape]
    if len(readable) >= _FEWEST_GRIDS:
        yield from _grids(readable)
    yield from _values([facts for facts in readable if facts.values])
    if len(readable) >= FEWEST:
        yield from _intensities([facts for facts in readable if facts.percentiles])
        yield from _volumes([facts for facts in readable if facts.volumes])


def robust_z(values: ArrayLike, least: float = 0.0) -> NDArray[np.float64]:
    """Return how far each value lies from the median, in robust deviations of at least ``least``.

    >>> robust_z([1.0, 2.0, 3.0, 4.0, 30.0]).round(1).tolist()
    [1.3, 0.7, 0.0, 0.7, 18.2]
    """
    values = np.asarray(values, np.float64)
    middle, spread = robust_spread(values, least)
    away = np.abs(values - middle)
    return away / spread if spread > 0 else np.where(away > 0, np.inf, 0.0)


def robust_spread(values: ArrayLike, least: float = 0.0) -> tuple[float, float]:
    """Return the median and 1.4826 times the median distance from it, which is at least ``least``.

    The factor makes it the standard deviation of a normal distribution.
    """
    values = np.asarray(values, np.float64)
    middle = float(np.median(values))
    return middle, max(1.4826 * float(np.median(np.abs(values - middle))), least)


def _grids(domain: Sequence[CaseFacts]) -> Iterator[Remark]:
    spacings = np.array([facts.spacing for facts in domain])
    extents = spacings * [facts.shape for facts in domain]
    for name, values in (("spacing", spacings), ("extent", extents)):
        median = np.median(values, axis=0)
        for facts, own in zip(domain, values, strict=True):
            factor = np.maximum(own / median, median / own)
            if factor.max() > GRID_FACTOR:
                rule = f"has an unusual {name}, the median of {facts.case.domain} is {_mm(median)}"
                yield warning(facts.case, "image", rule, _mm(own), "look at the header")


def _values(domain: Sequence[CaseFacts]) -> Iterator[Remark]:
    """Yield the unnamed values that few labels have: what most have was left out on purpose."""
    for facts in domain:
        rare = [v for v in sorted(facts.unnamed) if v not in usual_unnamed(domain)]
        if rare:
            rule = "has values that no structure and few other labels have"
            shown = ", ".join(map(str, rare[:_SHOWN])) + (", …" if len(rare) > _SHOWN else "")
            remedy = "name them in data.labels or data.ignore, else they are background"
            yield warning(facts.case, "label", rule, shown, remedy)


def usual_unnamed(domain: Sequence[CaseFacts]) -> list[int]:
    """Return the values that no structure has and at least half of the labels of a domain."""
    counts = Counter(value for facts in domain for value in facts.unnamed)
    labels = sum(bool(facts.values) for facts in domain)
    return sorted(value for value, count in counts.items() if 2 * count >= labels)


def _intensities(domain: Sequence[CaseFacts]) -> Iterator[Remark]:
    if not domain:
        return
    for channel in range(min(len(facts.percentiles) for facts in domain)):
        rows = np.array([facts.percentiles[channel] for facts in domain])
        least = _LEAST_INTENSITY * float(np.median(rows[:, -1] - rows[:, 0]))
        scores = np.stack([robust_z(column, least) for column in rows.T], axis=1)
        for facts, own, score in zip(domain, rows, scores, strict=True):
            worst = int(score.argmax())
            if score[worst] > LIMIT:
                usual = float(np.median(rows[:, worst]))
                named = f" of channel {channel + 1}" if len(facts.percentiles) > 1 else ""
                yield warning(
                    facts.case,
                    "image",
                    f"has unusual intensities{named}: the median of percentile "
                    f"{PERCENTILES[worst]} in {facts.case.domain} is {usual:.4g}",
                    f"{own[worst]:.4g} ({score[worst]:.0f} robust deviations away)",
                    "look at the image; data.intensity may even it out",
                )


def _volumes(domain: Sequence[CaseFacts]) -> Iterator[Remark]:
    for name in domain[0].volumes if domain else ():
        holding = [facts for facts in domain if facts.volumes[name] > 0]
        lacking = [facts for facts in domain if not facts.volumes[name]]
        if len(holding) >= _USUAL * len(domain):
            rule = f"lacks {name}, which {len(holding)} of {len(domain)} labels have"
            for facts in lacking:
                yield warning(facts.case, "label", rule, None, "look at the label")
        if len(holding) < FEWEST:
            continue
        volumes = np.array([facts.volumes[name] for facts in holding])
        for facts, own, score in zip(
            holding, volumes, robust_z(np.log(volumes), _LEAST_VOLUME), strict=True
        ):
            if score > LIMIT:
                yield warning(
                    facts.case,
                    "label",
                    f"has an unusual volume of {name}, the median of {facts.case.domain} is "
                    f"{np.median(volumes):.4g} ml",
                    f"{own:.4g} ml ({score:.0f} robust deviations away)",
                    "look at the label",
                )


def _mm(values: NDArray[np.float64]) -> str:
    return " x ".join(f"{value:.3g}" for value in values) + " mm"
