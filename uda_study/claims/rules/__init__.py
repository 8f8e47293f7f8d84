"""The kinds of rules, one per file; each judges tables and reads nothing else.

Every rule can give all three verdicts, and says in its docstring when it gives which: what
contradicts a claim is fixed beforehand as much as what reproduces it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from uda_study.claims.rules.gain import Gain
from uda_study.claims.rules.interior import Interior
from uda_study.claims.rules.more_in_seeds import MoreInSeeds
from uda_study.claims.rules.shrinking_divergence import ShrinkingDivergence
from uda_study.claims.rules.steadier import Steadier
from uda_study.claims.rules.times_less import TimesLess
from uda_study.claims.rules.useless_divergence import UselessDivergence

AnyRule = Annotated[
    Gain | Interior | MoreInSeeds | ShrinkingDivergence | Steadier | TimesLess | UselessDivergence,
    Field(discriminator="kind"),
]

__all__ = [
    "AnyRule",
    "Gain",
    "Interior",
    "MoreInSeeds",
    "ShrinkingDivergence",
    "Steadier",
    "TimesLess",
    "UselessDivergence",
]
