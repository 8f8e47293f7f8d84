"""A metric is larger in one arm than in another, seed by seed."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from uda_study.claims.evidence import Arm, Evidence, spelled
from uda_study.claims.finding import Finding, by_count
from uda_study.claims.rules.base import Part, Rule, Terms


class Matched(Part):
    """Two trainings are comparable where this metric differs by no more than the factor."""

    metric: str
    within: float = Field(gt=1)


class MoreInSeeds(Rule):
    """Pairs of trainings of one seed each: in how many the metric is larger as claimed.

    Reproduced if it is in ``in_at_least`` of the seeds, contradicted if it is smaller in as many.
    With ``matched``, only pairs that are comparable count to either side. Dice stands beside it.
    """

    kind: Literal["more_in_seeds"]
    metric: str
    larger: Arm
    smaller: Arm
    in_at_least: int = Field(ge=1)
    matched: Matched | None = None

    @model_validator(mode="after")
    def _attainable(self) -> Self:
        if self.in_at_least * 2 <= len(self.seeds) or self.in_at_least > len(self.seeds):
            raise ValueError("in_at_least must be more than half of the seeds, and not above them")
        return self

    @property
    def arms(self) -> tuple[Arm, ...]:
        """What the rule compares."""
        return (self.larger, self.smaller)

    @property
    def terms(self) -> Terms:
        """When the rule gives which verdict."""
        among = ""
        if self.matched is not None:
            among = f", among those whose {self.matched.metric} differs by {self.matched.within:g} "
            among += "times at most"
        first, second = spelled(self.larger), spelled(self.smaller)
        count = f"in {self.in_at_least} of {len(self.seeds)} seeds"
        return Terms(
            f"{self.metric} of {first} exceeds that of {second} {count}{among}",
            f"it is smaller {count}",
        )

    def judge(self, evidence: Evidence) -> Finding:
        """Return the verdict by counting seeds."""
        first, second = (
            evidence.means(arm, self.metric, self.seeds) for arm in (self.larger, self.smaller)
        )
        comparable = self._comparable(evidence)
        more = sum(first[seed] > second[seed] for seed in comparable)
        less = sum(first[seed] < second[seed] for seed in comparable)
        names = [spelled(arm) for arm in (self.larger, self.smaller)]
        dice = [evidence.dice(arm, self.seeds) for arm in (self.larger, self.smaller)]
        means = [sum(values.values()) / len(values) for values in (first, second, *dice)]
        of = f"{len(comparable)} comparable" if self.matched else f"{len(self.seeds)}"
        return Finding(
            by_count(more, less, self.in_at_least),
            {
                f"{self.metric}, {names[0]}": [round(first[seed], 4) for seed in self.seeds],
                f"{self.metric}, {names[1]}": [round(second[seed], 4) for seed in self.seeds],
                "comparable seeds": list(comparable),
                f"dice, {names[0]}": round(means[2], 4),
                f"dice, {names[1]}": round(means[3], 4),
            },
            f"{self.metric} of {names[0]} above that of {names[1]} in {more} of {of} seeds "
            f"({means[0]:.3g} against {means[1]:.3g}); Dice {means[2]:.3f} against {means[3]:.3f}",
        )

    def _comparable(self, evidence: Evidence) -> list[int]:
        if self.matched is None:
            return list(self.seeds)
        first, second = (
            evidence.means(arm, self.matched.metric, self.seeds)
            for arm in (self.larger, self.smaller)
        )
        within = self.matched.within
        return [seed for seed in self.seeds if 1 / within <= first[seed] / second[seed] <= within]
