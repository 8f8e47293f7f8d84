"""What a check of images found: errors, which stop a study, and warnings, which do not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from uda_study.errors import Problem
from uda_study.types import Case

_MOST_NAMED = 4


@dataclass(frozen=True)
class Remark:
    """One thing that was found in one or more cases; ``fatal`` makes it an error.

    ``what`` is the part of the case that it is about: image, label, mask or case.
    """

    cases: tuple[Case, ...]
    what: str
    problem: Problem
    fatal: bool


def warning(
    case: Case, what: str, rule: str, value: str | None = None, remedy: str | None = None
) -> Remark:
    """Return a warning about one case."""
    return Remark((case,), what, Problem(f"{case.id} {what}", rule, value, remedy), False)


def together(remarks: Iterable[Remark]) -> list[Remark]:
    """Return errors, one per case, then warnings, those that say the same of many cases as one."""
    remarks = list(remarks)
    groups: dict[tuple[str, Problem], list[Remark]] = {}
    for remark in remarks:
        if not remark.fatal:
            same = replace(remark.problem, where="") if len(remark.cases) == 1 else remark.problem
            groups.setdefault((remark.what, same), []).append(remark)
    return [remark for remark in remarks if remark.fatal] + [_merged(g) for g in groups.values()]


def _merged(remarks: Sequence[Remark]) -> Remark:
    first = remarks[0]
    if len(remarks) == 1:
        return first
    cases = tuple(case for remark in remarks for case in remark.cases)
    named = ", ".join(case.id for case in cases[:_MOST_NAMED])
    more = f" and {len(cases) - _MOST_NAMED} more" if len(cases) > _MOST_NAMED else ""
    where = f"{len(cases)} cases ({named}{more}) {first.what}"
    return replace(first, cases=cases, problem=replace(first.problem, where=where))
