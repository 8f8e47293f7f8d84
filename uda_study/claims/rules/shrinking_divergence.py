"""The domains' divergence shrinks under adaptation, and Dice rises as it does."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field
from scipy import stats

from uda_study.claims.evidence import Arm, Evidence
from uda_study.claims.finding import Finding, Verdict, by_count, together
from uda_study.claims.rules.base import Rule, Terms


class ShrinkingDivergence(Rule):
    """Excess Jensen-Shannon divergence after adaptation against before, and its rank with Dice.

    Shares: reproduced if the excess falls to ``share`` or below in ``in_at_least`` seeds,
    contradicted if it stays above in as many. Ranks: Spearman's correlation of excess and Dice over
    the trainings of ``over`` and the arm; reproduced below ``spearman_below`` with a 95 % interval
    that excludes 0, contradicted if the interval lies above ``spearman_below``. The interval is
    Bonett and Wright's (Psychometrika 65, 2000), which takes trainings for independent.
    """

    kind: Literal["shrinking_divergence"]
    arm: Arm
    over: tuple[Arm, ...]
    share: float = Field(gt=0, lt=1)
    in_at_least: int = Field(ge=1)
    spearman_below: float = Field(gt=-1, le=0)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """What the rule compares."""
        return (self.arm, *self.over)

    @property
    def terms(self) -> Terms:
        """When the rule gives which verdict."""
        count = f"{self.in_at_least} of {len(self.seeds)} seeds"
        return Terms(
            f"the excess falls to {self.share:g} of what it was in {count}, and Spearman's "
            f"correlation with Dice is below {self.spearman_below:g} with a 95 % interval that "
            "excludes 0",
            f"the excess stays above that in {count}, or the interval lies above "
            f"{self.spearman_below:g}",
        )

    def judge(self, evidence: Evidence) -> Finding:
        """Return the verdict on shares and ranks together."""
        before = evidence.means(self.arm, "js_excess_before", self.seeds)
        after = evidence.means(self.arm, "js_excess", self.seeds)
        shares = [after[seed] / before[seed] for seed in self.seeds]
        fallen = sum(share <= self.share for share in shares)
        trainings = [
            (
                evidence.means(arm, "js_excess", self.seeds)[seed],
                evidence.dice(arm, self.seeds)[seed],
            )
            for arm in (self.arm, *self.over)
            for seed in self.seeds
        ]
        rho, interval = _spearman(trainings)
        of_shares = by_count(fallen, len(shares) - fallen, self.in_at_least)
        return Finding(
            together([of_shares, of_ranks(rho, interval, self.spearman_below)]),
            {
                "excess before": round(sum(before.values()) / len(before), 4),
                "excess after, of it": [round(share, 3) for share in shares],
                "trainings": len(trainings),
                "spearman": round(rho, 3),
                "spearman ci95": [round(end, 3) for end in interval],
            },
            f"excess divergence at most {self.share:g} of what it was in {fallen} of {len(shares)} "
            f"seeds; Spearman with Dice over {len(trainings)} trainings {rho:.2f} "
            f"[{interval[0]:.2f}, {interval[1]:.2f}]",
        )


def of_ranks(rho: float, interval: tuple[float, float], below: float) -> Verdict:
    """Judge a correlation with its 95 % interval that is to be below a negative number.

    >>> of_ranks(-0.9, (-1, -0.6), -0.5), of_ranks(-0.1, (-0.4, 0.2), -0.5)
    ('reproduced', 'contradicted')
    >>> of_ranks(-0.45, (-0.7, -0.1), -0.5), of_ranks(-0.6, (-0.9, 0.1), -0.5)
    ('inconclusive', 'inconclusive')
    """
    low, high = interval
    if low > below:
        return "contradicted"
    return "reproduced" if rho < below and high < 0 else "inconclusive"


def _spearman(pairs: list[tuple[float, float]]) -> tuple[float, tuple[float, float]]:
    """Return the correlation with its 95 % interval; (0, all) where one side is constant."""
    first, second = zip(*pairs, strict=True)
    if len(set(first)) < 2 or len(set(second)) < 2:
        return 0.0, (-1.0, 1.0)
    rho = float(stats.spearmanr(first, second).statistic)
    error = math.sqrt((1 + rho**2 / 2) / (len(pairs) - 3))
    # A perfect order has no finite transform; the largest below it stands for it.
    z = math.atanh(max(-1 + 1e-12, min(1 - 1e-12, rho)))
    margin = float(stats.norm.ppf(0.975)) * error
    return rho, (math.tanh(z - margin), math.tanh(z + margin))
