import os

import pytest
from pydantic import ValidationError

from uda_study.datasets.manifest import Manifest, ManifestOptions
from uda_study.errors import InputError


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.nii", "b.nii", "c.nii", "l.nii", "m.nii", "sub/d.nii"):
        (folder / name).write_bytes(b"x")
    return folder


def dataset(root, text=None, **options):
    if text is not None:
        content = text.encode() if isinstance(text, str) else text
        (root / "manifest.csv").write_bytes(content)
    return Manifest(ManifestOptions(**options), root, root.parent / "cache")


def refusal(root, text=None, **options):
    with pytest.raises(InputError) as caught:
        dataset(root, text, **options).cases()
    return [str(problem) for problem in caught.value.problems]


def test_rows_become_cases(root):
    cases = dataset(
        root,
        "\ufeffsubject, session,domain,image,label,split,mask,licence\r\n"
        "p1,s1,mr,a.nii;b.nii,l.nii,test,m.nii,CC0\r\n"
        "\r\n"
        'p1,,ct,"sub/d.nii",,,,\r\n'
        "p 2/x,,ct,c.nii,l.nii,,,\r\n",
    ).cases()
    assert [case.id for case in cases] == ["p1_s1_mr", "p1_ct", "p-2-x_ct"]
    first, second, third = cases
    assert first.images == (root / "a.nii", root / "b.nii")
    assert (first.label, first.mask, first.split) == (root / "l.nii", root / "m.nii", "test")
    assert (second.label, second.mask, second.split) == (None, None, None)
    assert (third.subject, third.domain) == ("p 2/x", "ct")


def test_ids_are_made_unique(root):
    text = "subject,domain,image,label\np,mr,a.nii,\np,mr,b.nii,\np_mr,2,c.nii,\n"
    assert [case.id for case in dataset(root, text).cases()] == ["p_mr", "p_mr_2", "p_mr_2_2"]


def test_all_bad_rows_are_listed_with_their_lines(root):
    problems = refusal(
        root,
        "subject,domain,image,label,split\n"
        ",mr,a.nii,l.nii,\n"
        "p1,mr,b.nii,none.nii,\n"
        "p2,mr->ct,c.nii,l.nii,validation\n"
        "p3,mr,,l.nii,\n"
        "p4,mr,a.nii,l.nii,train\n"
        "p5,mr,sub/d.nii\n",
    )
    expected = [
        ("manifest.csv:7", "must have 5 cells as the header, got 3"),
        ("manifest.csv:2", "subject must not be empty"),
        ("manifest.csv:3", "no such file, got 'none.nii'"),
        ("manifest.csv:4", "a domain must not hold '->'"),
        ("manifest.csv:4", "split must be train, val, test or empty, got 'validation'"),
        ("manifest.csv:5", "an image is needed"),
        ("manifest.csv:6", "repeats the image of manifest.csv:2"),
    ]
    assert len(problems) == len(expected)
    for problem, (where, rule) in zip(problems, expected, strict=True):
        assert problem.startswith(f"{where}: {rule}")


def test_paths_stay_below_the_root(root, tmp_path):
    (tmp_path / "outside.nii").write_bytes(b"x")
    (root / "empty").mkdir()
    os.symlink(tmp_path / "outside.nii", root / "link.nii")
    os.symlink(root / "loop.nii", root / "loop.nii")
    problems = refusal(
        root,
        "subject,domain,image,label\n"
        f"p1,mr,{tmp_path / 'outside.nii'},\np2,mr,../outside.nii,\np3,mr,link.nii,\n"
        f"p4,mr,{root / 'a.nii'},\np5,mr,loop.nii,\np6,mr,empty,\np7,mr,{'n' * 300},\n",
    )
    assert ["below the data root" in problem for problem in problems] == [True] * 4 + [False] * 3
    assert "below the data root" in refusal(root, manifest="../manifest.csv")[0]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"\xff\xfe\x00\x80", "must be text in UTF-8"),
        ("", "must have the columns subject, domain, image, label, each once, got an empty file"),
        ("subject;domain;image;label\n", "separate columns by commas"),
        ("subject,domain,image\n", "must have the columns"),
        ("subject,domain,image,label,image\n", "each once"),
        ("subject,domain,image,label\n", "lists no image"),
        ('subject,domain,image,label\n"p1,mr,a.nii,\n', "not a CSV file"),
    ],
)
def test_unreadable_tables_are_refused(root, text, rule):
    (problem,) = refusal(root, text)
    assert problem.startswith("manifest.csv")
    assert rule in problem


def test_missing_tables_and_roots_are_refused(root):
    assert "no such file, got 'other.csv'" in refusal(root, manifest="other.csv")[0]
    assert "data.root: must be the folder of the manifest" in refusal(root / "none")[0]
    with pytest.raises(InputError, match=r"data\.root"):
        Manifest(ManifestOptions(), None, root).cases()
    with pytest.raises(ValidationError):
        ManifestOptions(manifets="x")


def test_a_subject_has_one_split_whatever_the_domain(root):
    text = "subject,domain,image,label,split\np,mr,a.nii,,train\nq,mr,b.nii,,\np,ct,c.nii,,test\n"
    assert refusal(root, text) == [
        "manifest.csv:4: subject p is in the split train of manifest.csv:2, got test;"
        " give it one split"
    ]
