"""A metric is so many times smaller in one arm than in another."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from uda_study.claims.evidence import Arm, Evidence, spelled
from uda_study.claims.finding import Finding, Verdict, together
from uda_study.claims.rules.base import Rule, Terms
from uda_study.study.statistics import mean_interval
from uda_study.types import JSON


class TimesLess(Rule):
    """Ratios of the larger arm's metric to the smaller one's, of every seed.

    Of every metric: reproduced if the ratio exceeds ``times`` in all seeds, contradicted if the
    95 % t interval of its logarithm lies below that.
    """

    kind: Literal["times_less"]
    metrics: tuple[str, ...] = Field(min_length=1)
    smaller: Arm
    larger: Arm
    times: float = Field(gt=1)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """What the rule compares."""
        return (self.smaller, self.larger)

    @property
    def terms(self) -> Terms:
        """When the rule gives which verdict."""
        return Terms(
            f"{' and '.join(self.metrics)} of {spelled(self.smaller)} are more than {self.times:g} "
            f"times less than of {spelled(self.larger)}, in every seed",
            f"the 95 % interval of a ratio lies below {self.times:g}",
        )

    def judge(self, evidence: Evidence) -> Finding:
        """Return the verdict on all metrics together."""
        verdicts, figures, words = [], dict[str, JSON](), []
        for metric in self.metrics:
            more = evidence.means(self.larger, metric, self.seeds)
            less = evidence.means(self.smaller, metric, self.seeds)
            # Without any energy at all the ratio is as large as can be said.
            ratios = [more[seed] / max(less[seed], 1e-300) for seed in self.seeds]
            verdicts.append(self._verdict(ratios))
            figures[f"{metric}, {spelled(self.larger)}"] = [more[seed] for seed in self.seeds]
            figures[f"{metric}, {spelled(self.smaller)}"] = [less[seed] for seed in self.seeds]
            words.append(f"{metric} {', '.join(f'{ratio:.3g}' for ratio in ratios)}")
        return Finding(
            together(verdicts),
            figures,
            f"times less with {spelled(self.smaller)} than with {spelled(self.larger)}, seed by "
            f"seed: {'; '.join(words)}",
        )

    def _verdict(self, ratios: list[float]) -> Verdict:
        if min(ratios) > self.times:
            return "reproduced"
        _, high = mean_interval([math.log(max(ratio, 1e-300)) for ratio in ratios])
        below = high is not None and high < math.log(self.times)
        return "contradicted" if below else "inconclusive"
