"""The domains' divergence shrinks, and Dice does not rise."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from uda_study.claims.evidence import Arm, Evidence, spelled
from uda_study.claims.finding import Finding, Verdict, by_count, together
from uda_study.claims.rules.base import Rule, Terms
from uda_study.claims.rules.differences import difference, figures, words
from uda_study.study.paired import Difference


class UselessDivergence(Rule):
    """An arm that brings the intensities of the domains together without being of use.

    Excess divergence: reproduced if it falls to ``share`` or below in all seeds, contradicted if in
    none. Dice: reproduced if the 95 % interval of the paired gain over ``than`` lies below
    ``gain_below``, contradicted if it lies above.
    """

    kind: Literal["useless_divergence"]
    arm: Arm
    than: Arm
    share: float = Field(gt=0, lt=1)
    gain_below: float = Field(gt=0)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """What the rule compares."""
        return (self.arm, self.than)

    @property
    def terms(self) -> Terms:
        """When the rule gives which verdict."""
        return Terms(
            f"the excess falls to {self.share:g} of what it was in all seeds, and the 95 % "
            f"interval of the gain in Dice lies below {self.gain_below:g}",
            f"the excess stays above that in all seeds, or the interval lies above "
            f"{self.gain_below:g}",
        )

    def judge(self, evidence: Evidence) -> Finding:
        """Return the verdict on divergence and Dice together."""
        before = evidence.means(self.arm, "js_excess_before", self.seeds)
        after = evidence.means(self.arm, "js_excess", self.seeds)
        shares = [after[seed] / before[seed] for seed in self.seeds]
        fallen = sum(share <= self.share for share in shares)
        gain = difference(evidence, self.arm, self.than, "dice", self.seeds)
        of_shares = by_count(fallen, len(shares) - fallen, len(shares))
        return Finding(
            together([of_shares, self._of_gain(gain)]),
            {"excess after, of before": [round(share, 3) for share in shares],
             "gain in Dice": figures(gain)},
            f"excess divergence falls to {max(shares):.2f} of what it was or below, at a gain in "
            f"Dice of {spelled(self.arm)} over {spelled(self.than)} of {words(gain)}",
        )  # fmt: skip

    def _of_gain(self, gain: Difference) -> Verdict:
        low, high = gain.interval
        if low > self.gain_below:
            return "contradicted"
        return "reproduced" if high < self.gain_below else "inconclusive"
