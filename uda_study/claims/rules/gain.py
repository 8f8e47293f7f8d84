"""One arm has a higher Dice than another, by at least so much."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from uda_study.claims.evidence import Arm, Evidence, spelled
from uda_study.claims.finding import Finding, beyond, together
from uda_study.claims.rules.base import Part, Rule, Terms
from uda_study.claims.rules.differences import difference, figures, words
from uda_study.types import JSON


class Pair(Part):
    """The arm that is claimed to be better, and the one that it is compared with."""

    better: Arm
    than: Arm


class Gain(Rule):
    """Paired gains in Dice over subjects and seeds, as the leaderboard compares two rows.

    Of every pair: reproduced if the mean gain exceeds ``at_least`` and its 95 % interval excludes
    0, contradicted if the interval lies below ``at_least``. ``beside`` pairs are reported only.
    """

    kind: Literal["gain"]
    pairs: tuple[Pair, ...] = Field(min_length=1)
    beside: tuple[Pair, ...] = ()
    at_least: float = Field(0.0, ge=0)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """What the rule compares."""
        return tuple(arm for p in (*self.pairs, *self.beside) for arm in (p.better, p.than))

    @property
    def terms(self) -> Terms:
        """When the rule gives which verdict."""
        each = "of every pair " if len(self.pairs) > 1 else ""
        return Terms(
            f"{each}the mean gain in Dice exceeds {self.at_least:g} and its 95 % interval "
            "excludes 0",
            f"the interval of {'any' if each else 'the'} gain lies below {self.at_least:g}",
        )

    def judge(self, evidence: Evidence) -> Finding:
        """Return the verdict on all pairs together."""
        verdicts, measured, said = [], dict[str, JSON](), []
        for number, pair in enumerate((*self.pairs, *self.beside)):
            found = difference(evidence, pair.better, pair.than, "dice", self.seeds)
            name = f"{spelled(pair.better)} - {spelled(pair.than)}"
            measured[name] = figures(found)
            verdict = beyond(found.mean, found.interval, self.at_least)
            if number < len(self.pairs):
                verdicts.append(verdict)
                said.append(f"{name} {words(found)}")
            else:
                said.append(f"beside it {name} {words(found)}")
        return Finding(together(verdicts), measured, f"Dice: {'; '.join(said)}")
