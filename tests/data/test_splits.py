from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uda_study.data.splits import make_split
from uda_study.errors import InputError
from uda_study.types import Case, Direction

MR_TO_CT = Direction("mr", "ct")
SOURCE = ("source_train", "source_val", "source_test")
TARGET = ("target_adapt", "target_val", "target_test")


@dataclass(frozen=True)
class Rules:
    protocol: str = "strict"
    source_subjects: tuple[str, ...] | None = None
    target_subjects: tuple[str, ...] | None = None
    val: float = 0.2
    test: float = 0.3
    seed: int = 0


def case(subject, domain, number=0, split=None, labelled=True):
    label = Path("label.nii") if labelled else None
    return Case(
        f"{subject}-{domain}-{number}", subject, domain, (Path("image.nii"),), label, None, split
    )


def cases_of(mr, ct, **more):
    return [case(s, "mr", **more) for s in mr] + [case(s, "ct", **more) for s in ct]


def names(count, prefix):
    return [f"{prefix}{number}" for number in range(count)]


def subjects(split, *roles):
    return {name.split("-")[0] for role in roles for name in split.roles[role]}


def paired(count):
    return cases_of(names(count, "p"), names(count, "p"))


subject_sets = st.sets(st.integers(0, 14), min_size=4).map(lambda ns: [f"s{n}" for n in sorted(ns)])


@given(
    mr=subject_sets,
    ct=subject_sets,
    protocol=st.sampled_from(["strict", "transductive"]),
    pinned=st.just({})
    | st.dictionaries(st.integers(0, 14), st.sampled_from(["train", "val", "test"]), max_size=4),
    unlabelled=st.sets(st.integers(0, 14), max_size=2),
    shares=st.tuples(st.floats(0.05, 0.6), st.floats(0.05, 0.6)),
    seed=st.integers(0, 5),
    folds=st.sampled_from([1, 1, 1, 3]),
)
@settings(max_examples=200, deadline=None)
def test_no_subject_is_on_both_sides_nor_in_two_strict_roles(
    mr, ct, protocol, pinned, unlabelled, shares, seed, folds
):
    cases = [
        case(s, domain, number, pinned.get(int(s[1:])), int(s[1:]) not in unlabelled)
        for domain, members in (("mr", mr), ("ct", ct))
        for s in members
        for number in range(1 + int(s[1:]) % 2)
    ]
    rules = Rules(protocol=protocol, val=shares[0], test=shares[1], seed=seed)
    for fold in range(folds):
        try:
            split = make_split(cases, MR_TO_CT, rules, fold, folds)
        except InputError:
            continue
        assert all(split.roles[role] for role in (*SOURCE, *TARGET))
        assert not subjects(split, *SOURCE) & subjects(split, *TARGET)
        if protocol == "strict":
            for side in (SOURCE, TARGET):
                parts = [subjects(split, role) for role in side]
                assert sum(map(len, parts)) == len(set.union(*parts))
        assert not subjects(split, "target_bound") & subjects(split, "target_test")
        assert split == make_split(cases[::-1], MR_TO_CT, rules, fold, folds)


def test_shares_set_the_sizes_and_the_seed_the_members():
    cases = cases_of(names(10, "a"), names(20, "b"))
    split = make_split(cases, MR_TO_CT, Rules(), 0, 1)
    assert [len(split.roles[role]) for role in (*SOURCE, *TARGET)] == [5, 2, 3, 10, 4, 6]
    other = make_split(cases, MR_TO_CT, Rules(seed=1), 0, 1)
    assert other.sha256 != split.sha256
    assert len(split.sha256) == 64


@pytest.mark.parametrize("shares", [(0.2, 0.3), (0.45, 0.5), (0.01, 0.01), (0.9, 0.9)])
def test_three_subjects_fill_three_roles(shares):
    rules = Rules(val=shares[0], test=shares[1])
    split = make_split(cases_of(names(3, "a"), names(3, "b")), MR_TO_CT, rules, 0, 1)
    assert [len(split.roles[role]) for role in (*SOURCE, *TARGET)] == [1] * 6


@pytest.mark.parametrize(("count", "folds"), [(20, 7), (5, 5), (9, 2), (3, 3)])
def test_folds_test_every_subject_once_as_evenly_as_possible(count, folds):
    cases = cases_of(names(count, "a"), names(count, "b"))
    splits = [make_split(cases, MR_TO_CT, Rules(), fold, folds) for fold in range(folds)]
    for role in ("source_test", "target_test"):
        tested = [name for split in splits for name in split.roles[role]]
        assert len(tested) == len(set(tested)) == count
        sizes = {len(split.roles[role]) for split in splits}
        assert max(sizes) - min(sizes) <= 1


def test_named_subjects_go_to_their_side_and_the_others_to_the_other():
    cases = paired(6)
    first = ("p0", "p1", "p2")
    both = Rules(source_subjects=first, target_subjects=("p3", "p4", "p5"))
    for rules in (both, Rules(source_subjects=first), Rules(target_subjects=("p3", "p4", "p5"))):
        split = make_split(cases, MR_TO_CT, rules, 0, 1)
        assert subjects(split, *SOURCE) == set(first)
        assert subjects(split, *TARGET) == {"p3", "p4", "p5"}


def test_naming_keeps_subjects_of_one_domain_where_they_are():
    cases = cases_of(["a", "b", "x", "y"], ["c", "d", "e", "x", "y"])
    split = make_split(cases, MR_TO_CT, Rules(source_subjects=("x",)), 0, 1)
    assert subjects(split, *SOURCE) == {"a", "b", "x"}
    assert subjects(split, *TARGET) == {"c", "d", "e", "y"}


def test_people_in_both_domains_are_dealt_half_and_half():
    cases = paired(7)
    split = make_split(cases, MR_TO_CT, Rules(), 0, 1)
    assert len(subjects(split, *SOURCE)) == 4
    assert len(subjects(split, *TARGET)) == 3
    turned = make_split(cases, Direction("ct", "mr"), Rules(), 0, 1)
    assert subjects(turned, *SOURCE) == subjects(split, *SOURCE)


def test_data_can_pin_roles():
    pins = ["train", "train", "val", "test"]
    cases = [case(f"a{n}", "mr", split=pin) for n, pin in enumerate(pins)]
    cases += [case(f"b{n}", "ct") for n in range(3)] + [case("b9", "ct", split="test")]
    split = make_split(cases, MR_TO_CT, Rules(), 0, 1)
    assert [sorted(subjects(split, role)) for role in SOURCE] == [["a0", "a1"], ["a2"], ["a3"]]
    assert subjects(split, "target_test") == {"b9"}
    with pytest.raises(InputError, match="bring their own split"):
        make_split(cases, MR_TO_CT, Rules(), 0, 2)


def test_a_subject_pinned_to_two_splits_is_refused():
    cases = cases_of(names(4, "a"), names(4, "b"))
    cases += [case("b0", "ct", 1, "train"), case("b0", "ct", 2, "test")]
    with pytest.raises(InputError, match="subject b0: must be in one split, got test, train"):
        make_split(cases, MR_TO_CT, Rules(), 0, 1)


def test_too_few_subjects_name_role_number_and_remedy():
    cases = cases_of(names(2, "a"), names(1, "b"))
    with pytest.raises(InputError) as caught:
        make_split(cases, MR_TO_CT, Rules(), 0, 1)
    source, target = map(str, caught.value.problems)
    assert "source_train, got 2 source subjects" in source
    assert "target_adapt" in target
    assert "got 1 target subjects" in target
    assert "split.protocol: transductive" in target
    with pytest.raises(InputError, match="use fewer folds"):
        make_split(cases_of(names(4, "a"), names(4, "b")), MR_TO_CT, Rules(), 4, 5)


def test_transductive_adapts_to_what_it_tests_on():
    cases = cases_of(["a"], ["b", "c"])
    split = make_split(cases, MR_TO_CT, Rules(protocol="transductive"), 0, 1)
    assert {split.roles[role] for role in TARGET} == {("b-ct-0", "c-ct-0")}
    assert {split.roles[role] for role in SOURCE} == {("a-mr-0",)}
    assert split.roles["target_bound"] == ()
    with pytest.raises(InputError, match="must be 1 when transductive"):
        make_split(cases, MR_TO_CT, Rules(protocol="transductive"), 0, 2)


def test_transductive_source_keeps_subjects_for_validation_where_there_are_two():
    cases = cases_of(names(5, "a"), ["b"])
    split = make_split(cases, MR_TO_CT, Rules(protocol="transductive"), 0, 1)
    train, val, test = (subjects(split, role) for role in SOURCE)
    assert len(train) == 4
    assert val == test == {"a0", "a1", "a2", "a3", "a4"} - train


def test_bound_of_a_paired_pack_is_the_other_subjects_seen_in_the_target_domain():
    rules = Rules(protocol="transductive", source_subjects=("p0", "p1", "p2"))
    split = make_split(paired(6), MR_TO_CT, rules, 0, 1)
    assert split.roles["target_bound"] == ("p0-ct-0", "p1-ct-0", "p2-ct-0")
    strict = make_split(paired(8), MR_TO_CT, Rules(), 0, 1)
    assert strict.roles["target_bound"] == strict.roles["target_adapt"]


def test_unlabelled_target_cases_are_adapted_to_and_never_tested_on():
    cases = cases_of(names(4, "a"), names(3, "b"))
    cases += [case(f"u{n}", "ct", labelled=False) for n in range(4)]
    cases += [case("a9", "mr", labelled=False)]
    split = make_split(cases, MR_TO_CT, Rules(val=0.1, test=0.1), 0, 1)
    assert {"u0", "u1", "u2", "u3"} <= subjects(split, "target_adapt")
    assert not {name for name in split.roles["target_bound"] if name.startswith("u")}
    assert "a9" not in subjects(split, *SOURCE)


def test_unknown_domains_and_subjects_are_named_with_what_there_is():
    cases = cases_of(names(4, "a"), names(4, "b"))
    with pytest.raises(InputError, match=r"no case of the domain 'pet'.*choose from ct, mr"):
        make_split(cases, Direction("mr", "pet"), Rules(), 0, 1)
    with pytest.raises(InputError, match="no source case of such a subject, got 'b1'"):
        make_split(cases, MR_TO_CT, Rules(source_subjects=("b1",)), 0, 1)
    both = Rules(source_subjects=("p0",), target_subjects=("p0", "p1"))
    with pytest.raises(InputError, match="a subject has one side, got 'p0'"):
        make_split(paired(2), MR_TO_CT, both, 0, 1)
    with pytest.raises(InputError, match="no subject is left on the target side"):
        make_split(paired(1), MR_TO_CT, Rules(), 0, 1)
    unlabelled = [case(s, "mr", labelled=False) for s in "abc"] + [case(s, "ct") for s in "def"]
    with pytest.raises(InputError, match="the source 'mr' has no labelled case"):
        make_split(unlabelled, MR_TO_CT, Rules(), 0, 1)
    with pytest.raises(InputError, match=r"fold must be 0\.\.0, got 1"):
        make_split(cases, MR_TO_CT, Rules(), 1, 1)
