"""The page of the claims with their verdicts, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from uda_study.claims.ledger import Claim
from uda_study.claims.runner import command
from uda_study.types import JSON

Verdicts = Mapping[str, Mapping[str, JSON]]

_OPENING = """\
# Claims of the papers

Each claim is an experiment whose rule was written down before it was run. `uda-study claims list`
shows them, `uda-study claims run N` runs one and gives its verdict, and this page is what
`uda-study claims page` prints afterwards.

- **reproduced**: the rule's thresholds are met, with an interval where it asks for one.
- **contradicted**: the interval lies on the other side of them, or as many seeds say the opposite
  (four of five seeds are a rule that was fixed, no significance).
- **inconclusive**: neither; so is a claim of which a training diverged.

The files are in `uda_study/claims`: a rule with its thresholds per claim in `ledger/`, the studies
in `studies/`, kinds of rules in `rules/`. Simulated heads, small networks, trainings of seconds: a
verdict is one on this phantom, no more. Intervals of differences hold the luck of subjects and of
seeds, as those of the [leaderboard](protocol.md#the-words) do. Times are what `uda-study plan` says
of two cores.

Claims marked *gate* have settings that were tried on other seeds until the effect showed. They
guard the code: `make claims` trains them anew and fails unless they are reproduced, since an effect
that has become inconclusive has changed, too. All others were fixed from what is known to learn
here, are run once, and stand as they come out.
"""


def page(claims: Sequence[Claim], verdicts: Verdicts) -> str:
    """Return the page; claims without a verdict are listed as not run."""
    return "\n".join([_OPENING, *_table(claims, verdicts), "", *_details(claims, verdicts)]) + "\n"


def _table(claims: Sequence[Claim], verdicts: Verdicts) -> Iterator[str]:
    yield "| | claim | verdict |"
    yield "| --- | --- | --- |"
    for claim in claims:
        gate = " *gate*" if claim.gate else ""
        yield f"| {claim.number} | {claim.claim}{gate} | {verdict_of(claim, verdicts)} |"


def _details(claims: Sequence[Claim], verdicts: Verdicts) -> Iterator[str]:
    for claim in claims:
        verdict = verdict_of(claim, verdicts)
        yield f"## {claim.number}: {verdict}"
        yield ""
        yield f"{claim.claim} ({claim.paper}.) {claim.question}"
        yield ""
        terms = claim.rule.terms
        yield f"- Reproduced if {terms.reproduced}."
        yield f"- Contradicted if {terms.contradicted}."
        if (found := verdicts.get(str(claim.number))) is not None:
            yield f"- **Found**: {found['sentence']}."
        yield f"- {claim.caveat}"
        studies = ", ".join(f"`{name}.yaml`" for name in claim.studies)
        yield f"- `{command(claim)}`, {claim.cost}; {studies}"
        yield ""


def verdict_of(claim: Claim, verdicts: Verdicts) -> str:
    """Return the claim's verdict, or that it was not run."""
    found = verdicts.get(str(claim.number))
    return "not run" if found is None else str(found["verdict"])
