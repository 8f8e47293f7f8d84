"""Look at all images and labels of a dataset as a whole: what is wrong, and what is unusual."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from uda_study.data.duplicates import find_twins, fingerprint, judge_twins
from uda_study.data.facts import CaseFacts, examine
from uda_study.data.outliers import outliers
from uda_study.data.prepare import PreparedCase, problems_of_all
from uda_study.data.remarks import Remark, together
from uda_study.dataset import Preprocessing
from uda_study.types import Case, Split


@dataclass(frozen=True, eq=False)
class Check:
    """The facts of all cases, in their order, and what was found; errors come first."""

    cases: tuple[CaseFacts, ...]
    remarks: tuple[Remark, ...]
    structures: tuple[str, ...]

    @property
    def errors(self) -> tuple[Remark, ...]:
        """What a study would be refused for."""
        return tuple(remark for remark in self.remarks if remark.fatal)

    @property
    def warnings(self) -> tuple[Remark, ...]:
        """What somebody should look at."""
        return tuple(remark for remark in self.remarks if not remark.fatal)

    @property
    def domains(self) -> dict[str, list[CaseFacts]]:
        """The cases by domain, in the order in which the domains come."""
        found: dict[str, list[CaseFacts]] = {}
        for facts in self.cases:
            found.setdefault(facts.case.domain, []).append(facts)
        return found


def check_cases(
    cases: Sequence[Case],
    preprocessing: Preprocessing,
    splits: Sequence[Split] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Check:
    """Read every file of every case, and compare the cases with each other; writes nothing.

    ``splits`` say which near-duplicates lie in training and test. ``progress`` gets the cases done
    and all cases.
    """
    facts = []
    for done, case in enumerate(cases, 1):
        facts.append(examine(case, preprocessing.of(case.domain)))
        if progress is not None:
            progress(done, len(cases))
    of_all = [
        Remark((), "case", problem, True) for problem in problems_of_all(cases, preprocessing)
    ]
    own = [remark for one in facts for remark in one.remarks]
    unlike = [
        remark
        for members in Check(tuple(facts), (), ()).domains.values()
        for remark in outliers(members)
    ]
    prints = {one.case.id: one.fingerprint for one in facts if one.fingerprint is not None}
    known = [one.case for one in facts if one.case.id in prints]
    twins = judge_twins(find_twins(known, prints), splits)
    remarks = together([*of_all, *own, *twins, *unlike])
    return Check(tuple(facts), tuple(remarks), tuple(preprocessing.labels))


def twins_in_play(prepared: Mapping[str, PreparedCase], splits: Sequence[Split]) -> list[Remark]:
    """Return what is to be said of equal and near-equal images among cases that have a role.

    No label is opened.
    """
    used = {name for split in splits for ids in split.roles.values() for name in ids}
    cases = [one.case for name, one in prepared.items() if name in used]
    prints = {case.id: fingerprint(prepared[case.id]) for case in cases}
    return judge_twins(find_twins(cases, prints), splits)
