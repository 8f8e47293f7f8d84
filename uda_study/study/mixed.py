"""A mixed model of logit(Dice): differences between methods with all subjects and seeds in one fit.

    logit(Dice) = method + (1 | subject) + (1 | seed)
                + (1 | method:subject) + (1 | method:seed) [+ (1 | method:pair)] + rest

Methods get on with subjects and are lucky with seeds, each in its own way. Without the effects in
the second row an interval takes subjects x seeds for as many independent values, and calls equal
methods different far too often (`benchmarks/false_positives_across.py`).

What all methods share, the subjects' and the seeds' own effects, cancels in orthonormal contrasts
of the methods. These are independent and have the same variances, so the restricted likelihood of
the model (Patterson and Thompson, Biometrika 58, 1971) is that of its contrasts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from uda_study.study.paired import LEVEL, BySeed
from uda_study.study.ranking import dataset_of
from uda_study.study.statistics import ROPE, holm

FEWEST_SUBJECTS, FEWEST_SEEDS = 20, 5
CLIP = ROPE / 2
"""Dice is kept this far from 0 and 1, whose logits are infinite: half of what has no practical
meaning. An empty prediction then counts as logit -5.3, and not as more the smaller a constant is.
"""
LARGEST_RATIO = 1e6
"""Of an effect's variance to the rest's; beyond it there is no rest."""
SMALLEST_SPREAD = 1e-9
"""Logits that lie closer together are the same: there is no variance to estimate."""
Bounds = tuple[float, float]


@dataclass(frozen=True)
class MixedDifference:
    """How a method differs from the first, with 95 % intervals.

    ``dice`` is the difference in Dice for a subject on whom the first method reaches its typical
    Dice (`Mixed.level`); ``logit`` the model's own scale, the logarithm of an odds ratio.
    ``p_holm`` is ``p`` adjusted for all pairs of methods, since the first is mostly chosen by the
    same values.
    """

    label: str
    logit: float
    logit_ci95: Bounds
    dice: float
    dice_ci95: Bounds
    p: float
    p_holm: float


@dataclass(frozen=True)
class Mixed:
    """The fitted model, or the ``reason`` why there is none; then there are no differences.

    ``level`` is the first method's mean logit as a Dice; ``deviations`` are the estimated standard
    deviations by effect, in logits; ``clipped`` counts values that were moved off 0 or 1.
    """

    first: str
    differences: tuple[MixedDifference, ...] = ()
    level: float | None = None
    subjects: int = 0
    seeds: int = 0
    pairs: int = 0
    clipped: int = 0
    deviations: Mapping[str, float] | None = None
    freedom: float | None = None
    note: str = ""
    reason: str | None = None


class _Data(NamedTuple):
    """``logits`` ``(methods, values)``; ``groups``: by effect, the group of every value."""

    logits: NDArray[np.float64]
    groups: Mapping[str, NDArray[np.int64]]
    clipped: int
    seeds: int


class _Fit(NamedTuple):
    contrasts: NDArray[np.float64]
    variance: float
    freedom: float
    components: Mapping[str, float]


def mixed_model(values: Mapping[str, Mapping[str, BySeed]]) -> Mixed:
    """Compare every label with the first; ``values`` by label, pair and subject, per seed.

    Counted are the subjects and seeds of a pair that all labels have. Offered from 20 subjects and,
    in every pair, 5 seeds. With several pairs, (1 | method:pair) is left out if the fit needs it.
    """
    labels = list(values)
    first = labels[0] if labels else ""
    if len(labels) < 2:
        return Mixed(first, reason="there is nothing to compare with")
    data = _data(values)
    subjects, pairs = _count(data, "method:subject"), _count(data, "method:pair")
    if subjects < FEWEST_SUBJECTS or data.seeds < FEWEST_SEEDS:
        return Mixed(
            first,
            reason=f"{subjects} subjects and {data.seeds} seeds that all methods have; "
            f"{FEWEST_SUBJECTS} and {FEWEST_SEEDS} are needed",
        )
    basis = _contrasts(len(labels))
    contrasts = basis.T @ data.logits
    if np.ptp(contrasts, axis=1).max() < SMALLEST_SPREAD:
        return Mixed(first, reason="the differences between the methods do not vary")
    effects = ["method:subject", "method:seed"]
    note = ""
    found = _fit(contrasts, data.groups, [*effects, "method:pair"]) if pairs > 1 else None
    if found is None:
        note = "did not converge with (1 | method:pair), which is left out" if pairs > 1 else ""
        found = _fit(contrasts, data.groups, effects)
    if found is None:
        return Mixed(first, reason="the fit did not converge")
    level = float(data.logits[0].mean())
    return Mixed(
        first,
        differences=_differences(labels, basis, found, level),
        level=float(special.expit(level)),
        subjects=subjects,
        seeds=data.seeds,
        pairs=pairs,
        clipped=data.clipped,
        deviations={name: float(np.sqrt(value)) for name, value in found.components.items()},
        freedom=found.freedom,
        note=note,
    )


def _data(values: Mapping[str, Mapping[str, BySeed]]) -> _Data:
    """Stack the values that all labels have; a person who is in two pairs is one subject."""
    columns: list[list[float]] = []
    names: list[tuple[str, str, str]] = []
    seeds_of = []
    for pair in next(iter(values.values())):
        methods = [values[label].get(pair, {}) for label in values]
        subjects = sorted(set.intersection(*(set(by_seed) for by_seed in methods)))
        seeds = (
            set.intersection(*(set(m[s]) for m in methods for s in subjects)) if subjects else set()
        )
        seeds_of.append(len(seeds))
        for subject in subjects:
            for seed in sorted(seeds):
                columns.append([m[subject][seed] for m in methods])
                names.append((f"{dataset_of(pair)}/{subject}", f"{pair}/{seed}", pair))
    dice = np.array(columns, dtype=np.float64).reshape(-1, len(values)).T
    kept = dice.clip(CLIP, 1 - CLIP)
    parts = zip(*names, strict=True) if names else ((), (), ())
    groups = {
        effect: np.unique(np.array(part, dtype=str), return_inverse=True)[1]
        for effect, part in zip(
            ("method:subject", "method:seed", "method:pair"), parts, strict=True
        )
    }
    return _Data(special.logit(kept), groups, int((kept != dice).sum()), min(seeds_of, default=0))


def _count(data: _Data, effect: str) -> int:
    return len(set(data.groups[effect].tolist()))


def _contrasts(methods: int) -> NDArray[np.float64]:
    """Return orthonormal contrasts ``(methods, methods - 1)``: every column sums to 0."""
    start = np.column_stack([np.ones(methods), np.eye(methods)[:, 1:]])
    basis: NDArray[np.float64] = np.linalg.qr(start)[0][:, 1:]
    return basis


def _fit(
    contrasts: NDArray[np.float64],
    groups: Mapping[str, NDArray[np.int64]],
    effects: Sequence[str],
) -> _Fit | None:
    """Fit ``contrasts`` ``(methods - 1, values)`` by restricted likelihood; None where it fails.

    The effects' variances are sought in units of the rest's, which is then known.
    """
    count, n = contrasts.shape
    free = count * (n - 1)
    same = [np.equal.outer(groups[effect], groups[effect]).astype(float) for effect in effects]

    def loss(ratios: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        covariance = np.eye(n) + sum(r * part for r, part in zip(ratios, same, strict=True))
        projected, weights = _projected(covariance)
        moved = contrasts @ projected
        squares = float((moved * contrasts).sum())
        size = np.linalg.slogdet(covariance)[1] + np.log(weights.sum())
        slopes = [
            count * (projected * part).sum() - free * ((moved @ part) * moved).sum() / squares
            for part in same
        ]
        return 0.5 * (free * np.log(squares / free) + count * size), 0.5 * np.array(slopes)

    found = optimize.minimize(
        loss,
        np.ones(len(effects)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, LARGEST_RATIO)] * len(effects),
        options={"ftol": 1e-11, "gtol": 1e-5, "maxiter": 500},
    )
    # With nothing left for the rest the likelihood has no maximum.
    if not found.success or found.x.max() >= LARGEST_RATIO:
        return None
    ratios = [*found.x.tolist(), 1.0]
    parts = [*same, np.eye(n)]
    projected, weights = _projected(sum(r * p for r, p in zip(ratios, parts, strict=True)))
    scale = float((contrasts @ projected * contrasts).sum()) / free
    components = [ratio * scale for ratio in ratios]
    variance, freedom = _satterthwaite(parts, components, count)
    means = contrasts @ weights / weights.sum()
    return _Fit(means, variance, freedom, dict(zip([*effects, "rest"], components, strict=True)))


def _projected(
    covariance: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the inverse without its mean's part, and the weights of the values in that mean."""
    inverse = np.linalg.inv(covariance)
    weights = inverse.sum(axis=1)
    return inverse - np.outer(weights, weights) / weights.sum(), weights


def _satterthwaite(
    parts: Sequence[NDArray[np.float64]], components: Sequence[float], count: int
) -> tuple[float, float]:
    """Return the variance of a contrast's mean and its degrees of freedom.

    ``count`` contrasts share the variance components, whose uncertainty is that of the expected
    information of the restricted likelihood (Fai and Cornelius, J Stat Comput Simul 54, 1996).
    """
    covariance = sum(c * part for c, part in zip(components, parts, strict=True))
    projected, weights = _projected(np.asarray(covariance))
    variance = 1.0 / float(weights.sum())
    slopes = np.array([variance**2 * weights @ part @ weights for part in parts])
    moved = [projected @ part for part in parts]
    information = count / 2 * np.array([[(a * b.T).sum() for b in moved] for a in moved])
    spread = float(slopes @ np.linalg.pinv(information) @ slopes)
    return variance, min(2 * variance**2 / spread, float(count * (len(weights) - 1)))


def _differences(
    labels: Sequence[str], basis: NDArray[np.float64], found: _Fit, level: float
) -> tuple[MixedDifference, ...]:
    apart = basis[1:] - basis[0]
    shifts = apart @ found.contrasts
    errors = np.sqrt(found.variance * (apart**2).sum(axis=1))
    margin = float(stats.t.ppf((1 + LEVEL) / 2, found.freedom))
    p_values = 2 * stats.t.sf(np.abs(shifts) / errors, found.freedom)
    adjusted = holm(p_values.tolist(), of=len(labels) * (len(labels) - 1) // 2)

    def dice(shift: float) -> float:
        return float(special.expit(level + shift) - special.expit(level))

    differences = []
    for label, shift, error, p, p_holm in zip(
        labels[1:], shifts.tolist(), errors.tolist(), p_values.tolist(), adjusted, strict=True
    ):
        low, high = shift - margin * error, shift + margin * error
        differences.append(
            MixedDifference(
                label,
                shift,
                (low, high),
                dice(shift),
                (dice(low), dice(high)),
                p,
                float(p_holm or 0),
            )
        )
    return tuple(differences)
