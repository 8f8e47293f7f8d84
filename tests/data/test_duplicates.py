from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from uda_study.data import duplicates
from uda_study.data.check import twins_in_play
from uda_study.data.duplicates import SIMILAR, Fingerprint, Twins, find_twins, judge_twins
from uda_study.data.prepare import prepare
from uda_study.dataset import Preprocessing
from uda_study.types import Case, Direction, Split


def head(seed: int, size: int = 48, depth: int = 20) -> np.ndarray:
    """A skull and a brain of nearly the same size in everybody, with folds of their own."""
    wide, deep = np.random.default_rng([seed, 1]).uniform(1, 1.15, 2)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (size, size, depth)), indexing="ij")
    x, y = x * wide, y * deep
    radius = np.sqrt(x**2 + y**2 + (z / 1.2) ** 2)
    noise = np.random.default_rng(seed).normal(size=x.shape)
    folds = ndimage.gaussian_filter(noise, 1.5)
    inside = 3.0 * (radius < 0.9) + 2.0 * ((radius > 0.8) & (radius < 0.9))
    return (inside + 2 * (radius < 0.8) * folds / folds.std() * 0.4)[None].astype(np.float32)


def likeness(first: np.ndarray, second: np.ndarray) -> float:
    return float((Fingerprint.of(first).detail * Fingerprint.of(second).detail).sum())


def scaled(image: np.ndarray) -> np.ndarray:
    return (image - image.min()) / np.ptp(image)


COPIES = {
    "other scale": lambda v: 1000 * v + 40,
    "noise": lambda v: v + np.random.default_rng(9).normal(0, 0.2 * v.std(), v.shape),
    "gamma": lambda v: scaled(v) ** 2,
    "16 levels": lambda v: np.round(15 * scaled(v)),
    "clipped": lambda v: v.clip(*np.percentile(v, (5, 95))),
    "half the resolution": lambda v: ndimage.zoom(v, (1, 0.5, 0.5, 1), order=1, grid_mode=True,
                                                  mode="nearest"),
}  # fmt: skip


@pytest.mark.parametrize("name", COPIES)
def test_changed_copies_are_recognised(name):
    original = head(0)
    assert likeness(original, COPIES[name](original).astype(np.float32)) > SIMILAR


def test_different_people_are_not_though_their_small_images_correlate():
    first, second = head(1), head(2)
    small = [
        ndimage.zoom(image[0], (1 / 3, 1 / 3, 0.8), order=1).ravel() for image in (first, second)
    ]
    assert np.corrcoef(small)[0, 1] > 0.9
    assert likeness(first, second) < 0.7


@given(st.integers(0, 50), st.sampled_from([(5, 40, 33), (40, 32, 1), (2, 3, 4)]))
def test_likeness_is_symmetric_and_one_with_itself(seed, shape):
    rng = np.random.default_rng(seed)
    first, second = (rng.normal(size=(2, *shape)).astype(np.float32) for _ in range(2))
    assert likeness(first, first) == pytest.approx(1, abs=1e-5)
    assert likeness(first, second) == pytest.approx(likeness(second, first), abs=1e-6)
    assert abs(likeness(first, second)) <= 1 + 1e-5


def test_an_image_without_detail_is_like_none():
    flat = np.zeros((1, 8, 8, 8), np.float32)
    assert likeness(flat, flat) == 0


def test_hashes_tell_single_voxels_apart_and_shapes():
    image = head(3)
    changed = image.copy()
    changed[0, 5, 5, 5] += 1e-3
    assert Fingerprint.of(image).sha256 == Fingerprint.of(image.copy(order="F")).sha256
    assert Fingerprint.of(image).sha256 != Fingerprint.of(changed).sha256
    assert Fingerprint.of(image).sha256 != Fingerprint.of(image.reshape(1, 20, 48, 48)).sha256


def cases_of(**subjects: str) -> list[Case]:
    return [Case(name, subject, "mr", ()) for name, subject in subjects.items()]


def prints_of(**images: np.ndarray) -> dict[str, Fingerprint]:
    return {name: Fingerprint.of(image) for name, image in images.items()}


def named(twins: list[Twins]) -> list[tuple[str, str, bool]]:
    return [(pair.first.id, pair.second.id, pair.equal) for pair in twins]


def test_twins_are_pairs_of_subjects_and_equal_images_of_one():
    image, other = head(0), head(1)
    prints = prints_of(a=image, b=image * 2, c=image * 3, d=other, e=other, f=image[..., :1])
    cases = cases_of(a="s1", b="s2", c="s1", d="s3", e="s3", f="s4")
    assert named(find_twins(cases, prints)) == [
        ("a", "b", False), ("b", "c", False), ("d", "e", True),
    ]  # fmt: skip


def test_of_many_equal_images_each_is_named_once():
    prints = prints_of(**dict.fromkeys("abcd", head(0)))
    cases = cases_of(a="1", b="2", c="3", d="4")
    assert named(find_twins(cases, prints)) == [(a, b, True) for a, b in ("ab", "ac", "ad")]


def split(protocol="strict", **roles: tuple[str, ...]) -> Split:
    return Split(Direction("mr", "ct"), 0, protocol, roles, "sha")


PAIR = Twins(Case("a", "s1", "mr", ()), Case("b", "s2", "ct", ()), False, 0.96)


@pytest.mark.parametrize(
    ("roles", "fatal"),
    [
        ({"source_train": ("a",), "target_test": ("b",)}, True),
        ({"source_train": ("b",), "target_val": ("a",)}, True),
        ({"target_adapt": ("a",), "target_test": ("b",)}, True),
        ({"target_bound": ("a",), "target_test": ("b",)}, True),
        ({"source_train": ("a",), "source_val": ("b",)}, True),
        ({"source_train": ("a",), "target_adapt": ("b",)}, False),
        ({"target_val": ("a",), "target_test": ("b",)}, False),
        ({"protocol": "transductive", "target_adapt": ("a", "b"), "target_test": ("a", "b")},
         False),
        ({"protocol": "transductive", "source_train": ("a",), "target_adapt": ("b",),
          "target_test": ("b",)}, True),
        ({}, False),
    ],
)  # fmt: skip
def test_near_twins_are_errors_where_one_is_trained_on_and_the_other_tested_on(roles, fatal):
    (remark,) = judge_twins([PAIR], [split(), split(**roles)])
    assert remark.fatal == fatal
    text = str(remark.problem)
    assert "b image: nearly equals that of a, another subject" in text
    assert "similarity 0.96, limit 0.8" in text
    assert ("mr->ct fold 0 trains on one and tests on the other" in text) == fatal


def test_what_is_alike_by_less_is_a_warning_even_across_training_and_test():
    crossed = split(source_train=("a",), target_test=("b",))
    (remark,) = judge_twins([replace(PAIR, similarity=0.94)], [crossed])
    assert not remark.fatal
    assert "tests on the other" in str(remark.problem)


def test_equal_twins_are_errors_unless_they_are_one_subject():
    equal = replace(PAIR, equal=True)
    (remark,) = judge_twins([equal], [])
    assert remark.fatal
    assert "b image: is the same image as that of a, another subject" in str(remark.problem)
    (remark,) = judge_twins([replace(equal, second=replace(PAIR.second, subject="s1"))], [])
    assert not remark.fatal


@pytest.fixture
def prepared(make_cases, write_nifti, tmp_path):
    """Four cases, the last of which is the first with another gain, under another subject."""
    cases = make_cases(3)
    image = np.random.default_rng(0).normal(size=(12, 14, 6)).astype(np.float32)
    for number, gain in ((0, 1.0), (3, 7.5)):
        path = write_nifti(f"twin{number}.nii.gz", image * np.float32(gain))
        case = Case(f"mr{number}", f"s{number}", "mr", (path,), cases[0].label)
        cases[number:] = [case, *cases[number + 1 :]]
    return prepare(cases, Preprocessing(labels={"box": (1,)}), tmp_path / "cache")


def test_before_a_run_only_cases_that_have_a_role_are_compared(prepared):
    (remark,) = twins_in_play(
        prepared, [split(source_train=("mr0", "mr1"), target_test=("mr2", "mr3"))]
    )
    assert remark.fatal
    assert [case.id for case in remark.cases] == ["mr3", "mr0"]
    assert twins_in_play(prepared, [split(source_train=("mr0", "mr1"))]) == []


def test_fingerprints_are_computed_once_and_open_no_label(prepared, monkeypatch):
    for case in prepared.values():
        for file in case.label_folder.iterdir():
            file.unlink()
    first = {name: duplicates.fingerprint(case) for name, case in prepared.items()}
    monkeypatch.setattr(Fingerprint, "of", None)
    for name, case in prepared.items():
        again = duplicates.fingerprint(case)
        assert again.sha256 == first[name].sha256
        np.testing.assert_array_equal(again.detail, first[name].detail)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
def test_a_damaged_fingerprint_is_made_anew(prepared, content):
    case = prepared["mr1"]
    whole = duplicates.fingerprint(case)
    (case.folder / "fingerprint.npz").write_bytes(content)
    assert duplicates.fingerprint(case).sha256 == whole.sha256
    assert len((case.folder / "fingerprint.npz").read_bytes()) > 1000
    assert sorted(path.name for path in case.folder.iterdir()) == [
        "fingerprint.npz", "grid.json", "image.npy", "mask.npy",
    ]  # fmt: skip


def test_a_cache_that_cannot_be_written_to_does_not_stop_the_check(prepared, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(duplicates.os, "replace", refuse)
    duplicates.fingerprint(prepared["mr1"])
    assert not [p for p in prepared["mr1"].folder.iterdir() if p.suffix == ".npz"]
