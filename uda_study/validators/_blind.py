"""The label-free score that a search maximises, put together from three validators."""

from __future__ import annotations

from collections.abc import Mapping

TERMS = ("entropy", "entropy_fg", "consistency")
SMALLEST_RANGE = 1e-3
WORST, BEST = -1.0, 1.5


def blind_score(
    scores: Mapping[str, float], lower: Mapping[str, float], upper: Mapping[str, float]
) -> float:
    """Return the mean of the usable `TERMS`, each scaled by its bounds and clipped to [-1, 1.5].

    ``lower`` are the scores of the unadapted source model on target images, ``upper`` those of the
    same model on source validation images: 0 is no adaptation, 1 as sure as on the source. A term
    that is not finite in ``scores`` counts as -1. Without a usable term (`usable_terms`) the score
    is 0 for every model. The bounds must be the same for all models that are compared.

    >>> lower, upper = dict.fromkeys(TERMS, 0.0), dict.fromkeys(TERMS, 0.5)
    >>> blind_score({"entropy": 0.5, "entropy_fg": 0.25, "consistency": 0.0}, lower, upper)
    0.5
    """
    terms = usable_terms(lower, upper)
    if not terms:
        return 0.0
    scaled = [
        _clipped((scores[term] - lower[term]) / (upper[term] - lower[term])) for term in terms
    ]
    return sum(scaled) / len(scaled)


def usable_terms(lower: Mapping[str, float], upper: Mapping[str, float]) -> tuple[str, ...]:
    """Return the `TERMS` whose ``upper`` lies at least 0.001 above ``lower``.

    The others are left out. A smaller range would blow noise up to the size of the other terms. A
    negative one means that the source model is more certain on the target than at home, which
    happens when it finds nothing there but background; dividing by it would reward uncertainty.
    """
    return tuple(term for term in TERMS if upper[term] - lower[term] >= SMALLEST_RANGE)


def _clipped(value: float) -> float:
    # NaN compares false, so it lands on the worst value too.
    return min(value, BEST) if value > WORST else WORST
