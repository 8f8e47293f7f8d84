"""Results spread less over seeds in one arm than in another."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field
from scipy import stats

from uda_study.claims.evidence import Arm, Evidence, spelled
from uda_study.claims.finding import Finding, Verdict
from uda_study.claims.rules.base import Rule, Terms
from uda_study.study.statistics import spread


class Steadier(Rule):
    """The ratio of two standard deviations of Dice over seeds, with its F interval.

    Reproduced if the ratio exceeds ``ratio`` and its 95 % interval lies above 1, contradicted if
    the interval lies below ``ratio``.
    """

    kind: Literal["steadier"]
    steady: Arm
    unsteady: Arm
    ratio: float = Field(gt=1)
    seeds: tuple[int, ...] = Field(min_length=3)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """What the rule compares."""
        return (self.unsteady, self.steady)

    @property
    def terms(self) -> Terms:
        """When the rule gives which verdict."""
        return Terms(
            f"the ratio of standard deviations exceeds {self.ratio:g} and its 95 % interval lies "
            "above 1",
            f"the interval lies below {self.ratio:g}",
        )

    def judge(self, evidence: Evidence) -> Finding:
        """Return the verdict on the ratio."""
        dice = [evidence.dice(arm, self.seeds) for arm in (self.unsteady, self.steady)]
        # The rule asks for three seeds, so that there is a spread.
        deviations = [spread(list(values.values())) or 0.0 for values in dice]
        means = [sum(values.values()) / len(values) for values in dice]
        ratio = deviations[0] / max(deviations[1], 1e-12)
        freedom = len(self.seeds) - 1
        reach = math.sqrt(float(stats.f.ppf(0.975, freedom, freedom)))
        interval = (ratio / reach, ratio * reach)
        names = [spelled(arm) for arm in (self.unsteady, self.steady)]
        return Finding(
            self._verdict(ratio, interval),
            {
                f"sd, {names[0]}": round(deviations[0], 4),
                f"sd, {names[1]}": round(deviations[1], 4),
                "ratio": round(ratio, 3),
                "ratio ci95": [round(end, 3) for end in interval],
                f"dice, {names[0]}": round(means[0], 4),
                f"dice, {names[1]}": round(means[1], 4),
            },
            f"SD of Dice over {len(self.seeds)} seeds {deviations[0]:.3f} of {names[0]}, "
            f"{deviations[1]:.3f} of {names[1]}: ratio {ratio:.2f} "
            f"[{interval[0]:.2f}, {interval[1]:.2f}]; means {means[0]:.3f} and {means[1]:.3f}",
        )

    def _verdict(self, ratio: float, interval: tuple[float, float]) -> Verdict:
        low, high = interval
        if high < self.ratio:
            return "contradicted"
        return "reproduced" if ratio > self.ratio and low > 1 else "inconclusive"
