"""Deal cases to roles by subject: no subject is ever on both sides, nor in two strict roles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal
from typing import Protocol as Interface

from uda_study.data.deal import Part, deal, shuffled
from uda_study.data.store import key_of
from uda_study.errors import InputError, Problem
from uda_study.types import Case, Direction, Protocol, Role, Split

Side = Literal["source", "target"]

_ROLES: Mapping[Side, Mapping[Part, Role]] = {
    "source": {"train": "source_train", "val": "source_val", "test": "source_test"},
    "target": {"train": "target_adapt", "val": "target_val", "test": "target_test"},
}
# A transductive split validates the source model on subjects of their own where there are two.
_FEWEST = 2


class SplitRules(Interface):
    """How subjects are dealt; the fields of a study file's ``data.split``."""

    @property
    def protocol(self) -> Protocol:
        """How subjects are dealt, see `uda_study.types.Split`."""

    @property
    def source_subjects(self) -> tuple[str, ...] | None:
        """Subjects that belong to the source side."""

    @property
    def target_subjects(self) -> tuple[str, ...] | None:
        """Subjects that belong to the target side."""

    @property
    def val(self) -> float:
        """The share of subjects kept for validation."""

    @property
    def test(self) -> float:
        """The share of subjects kept for the test."""

    @property
    def seed(self) -> int:
        """What the order of the subjects depends on."""


def make_split(
    cases: Sequence[Case], direction: Direction, spec: SplitRules, fold: int, folds: int
) -> Split:
    """Return who is trained on, adapted to and tested on in one fold.

    Subjects seen in both domains go to the side that ``source_subjects`` or ``target_subjects``
    names; where one list names some, the others go to the other side; without lists they are dealt
    half and half. ``Case.split`` pins a subject to a role of its side. A transductive split has no
    source test of its own: it names the validation's subjects. Source roles hold labelled
    cases; unlabelled target cases are adapted to, never tested on. ``target_bound`` holds labelled
    target cases: those of ``target_adapt``, or, transductive, those of the subjects on the source
    side. Raises `InputError` with every reason why there is no such split.
    """
    _refuse_folds(spec, fold, folds)
    _refuse_domains(cases, direction)
    source = [case for case in cases if case.domain == direction.source and case.label is not None]
    every_target = [case for case in cases if case.domain == direction.target]
    on_source, on_target = _sides(source, every_target, direction, spec)
    source = [case for case in source if case.subject in on_source]
    target = [case for case in every_target if case.subject in on_target]
    roles: dict[Role, tuple[str, ...]] = {}
    problems: list[Problem] = []
    sides: list[tuple[Side, list[Case]]] = [("source", source), ("target", target)]
    for side, members in sides:
        few = len({case.subject for case in members}) < _FEWEST
        try:
            if spec.protocol != "transductive":
                roles |= _strict(side, members, spec, fold=fold, folds=folds)
            elif side == "target" or few:
                roles |= _everything(side, members)
            else:
                roles |= _validated(side, members, spec)
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(problems)
    if spec.protocol == "transductive":
        bound = [case for case in every_target if case.subject not in on_target]
    else:
        bound = [case for case in target if case.id in roles["target_adapt"]]
    roles["target_bound"] = _ids(bound, labelled=True)
    sha256 = key_of({role: list(ids) for role, ids in roles.items()})
    return Split(direction, fold, spec.protocol, roles, sha256)


def _refuse_folds(spec: SplitRules, fold: int, folds: int) -> None:
    if folds < 1 or not 0 <= fold < folds:
        raise InputError.of("data.folds", f"fold must be 0..{folds - 1}", fold)
    if folds > 1 and spec.protocol == "transductive":
        raise InputError.of(
            "data.folds",
            "must be 1 when transductive, every fold would test on the same cases",
            folds,
            "set data.folds: 1 or split.protocol: strict",
        )


def _refuse_domains(cases: Sequence[Case], direction: Direction) -> None:
    domains = sorted({case.domain for case in cases})
    problems = [
        Problem(
            "direction", f"no case of the domain {domain!r}", f"{direction}",
            f"choose from {', '.join(domains) or 'a dataset that has cases'}",
        )
        for domain in (direction.source, direction.target)
        if domain not in domains
    ]  # fmt: skip
    if problems:
        raise InputError(problems)
    if not any(case.domain == direction.source and case.label for case in cases):
        raise InputError.of(
            "direction",
            f"the source {direction.source!r} has no labelled case",
            direction,
            "name label files or turn the direction round",
        )


def _sides(
    source: Sequence[Case], target: Sequence[Case], direction: Direction, spec: SplitRules
) -> tuple[set[str], set[str]]:
    """Return the subjects of the source side and of the target side; they are disjoint."""
    in_source = {case.subject for case in source}
    in_target = {case.subject for case in target}
    _refuse_names(in_source, in_target, spec)
    named_source, named_target = set(spec.source_subjects or ()), set(spec.target_subjects or ())
    open_ones = (in_source & in_target) - named_source - named_target
    if named_source and not named_target:
        to_source: set[str] = set()
    elif named_target and not named_source:
        to_source = open_ones
    else:
        domains = "/".join(sorted((direction.source, direction.target)))
        order = shuffled(open_ones, spec.seed, f"sides/{domains}")
        to_source = set(order[: (len(order) + 1) // 2])
    on_source = in_source - named_target - (open_ones - to_source)
    on_target = in_target - named_source - to_source
    for side, subjects in (("source", on_source), ("target", on_target)):
        if not subjects:
            raise InputError.of(
                f"split.{side}_subjects",
                f"no subject is left on the {side} side",
                f"{len(in_source & in_target)} subjects in both domains",
                "move some there, a subject is never on both sides",
            )
    return on_source, on_target


def _refuse_names(in_source: set[str], in_target: set[str], spec: SplitRules) -> None:
    problems = []
    for side, named, known in (
        ("source", spec.source_subjects or (), in_source),
        ("target", spec.target_subjects or (), in_target),
    ):
        problems += [
            Problem(f"split.{side}_subjects", f"no {side} case of such a subject", repr(name))
            for name in named
            if name not in known
        ]
    both = set(spec.source_subjects or ()) & set(spec.target_subjects or ())
    problems += [
        Problem("split.target_subjects", "a subject has one side", repr(name), "remove it from one")
        for name in sorted(both)
    ]
    if problems:
        raise InputError(problems)


def _everything(side: Side, cases: Sequence[Case]) -> dict[Role, tuple[str, ...]]:
    """Return the transductive roles: all cases in every role, tested where they have labels."""
    everything: Mapping[Part, Sequence[Case]] = {"train": cases, "val": cases, "test": cases}
    return _roles(side, everything, "label some cases")


def _validated(side: Side, cases: Sequence[Case], spec: SplitRules) -> dict[Role, tuple[str, ...]]:
    """Return training and validation roles; what is validated on also stands as test."""
    order = shuffled({case.subject for case in cases}, spec.seed, f"order/{cases[0].domain}")
    parts = dict(deal(order, _pins(cases), val=spec.val, test=0.0, fold=0, folds=1))
    parts["test"] = parts["val"]
    members: Mapping[Part, Sequence[Case]] = {
        part: [case for case in cases if case.subject in subjects]
        for part, subjects in parts.items()
    }
    return _roles(side, members, "raise split.val above 0")


def _strict(
    side: Side, cases: Sequence[Case], spec: SplitRules, *, fold: int, folds: int
) -> dict[Role, tuple[str, ...]]:
    pinned = _pins(cases)
    if pinned and folds > 1:
        raise InputError.of(
            "data.folds", f"must be 1, the {side} cases bring their own split", folds
        )
    labelled = {case.subject for case in cases if case.label is not None}
    for case in cases:
        if case.subject not in labelled:
            pinned.setdefault(case.subject, "train")
    order = shuffled({case.subject for case in cases}, spec.seed, f"order/{cases[0].domain}")
    parts = dict(deal(order, pinned, val=spec.val, test=spec.test, fold=fold, folds=folds))
    if spec.protocol == "paper" and not parts["val"]:
        parts["val"] = parts["test"]
    remedy = "use fewer folds or split.protocol: transductive" if folds > 1 else None
    return _roles(
        side,
        {
            part: [case for case in cases if case.subject in subjects]
            for part, subjects in parts.items()
        },
        remedy or "raise split.val and split.test above 0 or use split.protocol: transductive",
    )


def _pins(cases: Sequence[Case]) -> dict[str, Part]:
    """Return the role of each subject that the data pin to one."""
    found: dict[str, set[Part]] = defaultdict(set)
    for case in cases:
        if case.split is not None:
            found[case.subject].add(case.split)
    problems = [
        Problem(f"subject {subject}", "must be in one split", ", ".join(sorted(splits)))
        for subject, splits in sorted(found.items())
        if len(splits) > 1
    ]
    if problems:
        raise InputError(problems)
    return {subject: splits.pop() for subject, splits in found.items()}


def _roles(
    side: Side, parts: Mapping[Part, Sequence[Case]], remedy: str
) -> dict[Role, tuple[str, ...]]:
    """Name the parts as roles of the side; raises where one of them would be empty."""
    roles = {
        _ROLES[side][part]: _ids(members, labelled=part != "train")
        for part, members in parts.items()
    }
    empty = [role for role, ids in roles.items() if not ids]
    if empty:
        subjects = {case.subject for members in parts.values() for case in members}
        raise InputError.of(
            "split",
            f"no labelled case for {', '.join(empty)}",
            f"{len(subjects)} {side} subjects",
            remedy,
        )
    return roles


def _ids(cases: Sequence[Case], labelled: bool = False) -> tuple[str, ...]:
    return tuple(sorted(case.id for case in cases if case.label is not None or not labelled))
