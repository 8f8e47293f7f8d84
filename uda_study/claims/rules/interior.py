"""A setting between the ends of its range is better than either end."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from uda_study.claims.evidence import Arm, Evidence
from uda_study.claims.finding import Finding, Verdict
from uda_study.claims.rules.base import Rule, Terms
from uda_study.claims.rules.differences import difference, figures, words
from uda_study.study.paired import Difference
from uda_study.types import JSON

_LEVEL = 0.05


class Interior(Rule):
    """Dice at several values of a setting, paired by subject and seed.

    Reproduced if one interior value is better than both ends, at p below .05 divided by
    the number of interior values (Bonferroni); contradicted if every interior value is worse
    than one of the ends at p below .05.
    """

    kind: Literal["interior"]
    arm: Arm
    setting: str
    values: tuple[str | int | float, ...] = Field(min_length=3)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """What the rule compares."""
        return tuple({**self.arm, self.setting: value} for value in self.values)

    @property
    def terms(self) -> Terms:
        """When the rule gives which verdict."""
        return Terms(
            f"a {self.setting} between the ends has a higher Dice than both, at p below "
            f"{_LEVEL:g} / {len(self.values) - 2}",
            f"every {self.setting} between the ends has a lower one than one of them, at p below "
            f"{_LEVEL:g}",
        )

    def judge(self, evidence: Evidence) -> Finding:
        """Return the verdict over all interior values."""
        arms = self.arms
        dice: dict[str, JSON] = {
            str(value): round(_mean(evidence.dice(arm, self.seeds)), 4)
            for value, arm in zip(self.values, arms, strict=True)
        }
        ends = arms[0], arms[-1]
        against = [
            [difference(evidence, inner, end, "dice", self.seeds) for end in ends]
            for inner in arms[1:-1]
        ]
        best = max(range(len(against)), key=lambda number: min(d.mean for d in against[number]))
        value, (first, last) = self.values[1 + best], against[best]
        measured: dict[str, JSON] = {
            "dice": dice,
            f"{value} - {self.values[0]}": figures(first),
            f"{value} - {self.values[-1]}": figures(last),
        }
        shown = ", ".join(f"{name} {mean:.3f}" for name, mean in dice.items())
        return Finding(
            self._verdict(against),
            measured,
            f"Dice by {self.setting}: {shown}; {value} - {self.values[0]} {words(first)}, "
            f"{value} - {self.values[-1]} {words(last)}",
        )

    def _verdict(self, against: list[list[Difference]]) -> Verdict:
        strict = _LEVEL / len(against)
        if any(all(d.mean > 0 and d.p < strict for d in both) for both in against):
            return "reproduced"
        if all(any(d.mean < 0 and d.p < _LEVEL for d in both) for both in against):
            return "contradicted"
        return "inconclusive"


def _mean(values: dict[int, float]) -> float:
    return sum(values.values()) / len(values)
