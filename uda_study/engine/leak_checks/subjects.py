"""No subject on both sides, nor trained on and tested, looked up case by case in every split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from uda_study.study.checks import Check
from uda_study.training.task_data import TaskData
from uda_study.types import Role, Split

_SIDES: tuple[tuple[Role, ...], ...] = (
    ("source_train", "source_val", "source_test"),
    ("target_adapt", "target_val", "target_test"),
)


def check_subjects(data: Mapping[tuple[str, int], TaskData]) -> Check:
    """Return whether the subjects of sides and roles are disjoint as far as the protocol says.

    Source and target always are. The roles of a side are where the protocol is strict; the paper's
    may validate on its test cases. A transductive split adapts to what it tests on, but its
    ``target_bound`` holds nobody of the target side.
    """
    faults: list[str] = []
    subjects: set[str] = set()
    for one in data.values():
        people = {
            role: {one.prepared[name].case.subject for name in names}
            for role, names in one.split.roles.items()
        }
        subjects |= set().union(*people.values())
        faults += _faults(one.split, people)
    if faults:
        return Check("subjects", False, "; ".join(faults))
    roles = " and ".join(dict.fromkeys(_said(one.split) for one in data.values()))
    number = f"{len(data)} split" + "s" * (len(data) > 1)
    counts = _counts(next(iter(data.values())).split)
    return Check("subjects", True, f"{len(subjects)}, {roles} ({number}; {counts})")


def _counts(split: Split) -> str:
    """Say how many cases each role has."""
    sides = []
    for name, side in zip(("source", "target"), _SIDES, strict=True):
        sizes = "/".join(str(len(split.roles.get(role, ()))) for role in side)
        sides.append(f"{name} {sizes}")
    return f"cases that train/validate/test: {', '.join(sides)}"


def _said(split: Split) -> str:
    if split.protocol == "transductive":
        return "none on both sides"
    return "none on both sides or both trained on and tested"


def _faults(split: Split, people: Mapping[Role, set[str]]) -> Sequence[str]:
    pairs = [(one, other) for one in _SIDES[0] for other in _SIDES[1]]
    if split.protocol == "transductive":
        pairs += [("target_bound", role) for role in _SIDES[1]]
    else:
        pairs += [pair for side in _SIDES for pair in combinations(side, 2)]
        pairs += [("target_bound", "target_val"), ("target_bound", "target_test")]
        pairs += [("target_bound", role) for role in _SIDES[0]]
    if split.protocol == "paper":
        allowed = {("source_val", "source_test"), ("target_val", "target_test")}
        pairs = [pair for pair in pairs if pair not in allowed]
    found = []
    for one, other in pairs:
        shared = sorted(people.get(one, set()) & people.get(other, set()))
        if shared:
            named = ", ".join(shared[:3])
            found.append(f"{split.direction} fold {split.fold}: {named} in {one} and {other}")
    return found
