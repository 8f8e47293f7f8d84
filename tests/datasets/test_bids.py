import os

import pytest
from pydantic import ValidationError

from uda_study.datasets.bids import Bids, BidsOptions
from uda_study.errors import InputError


@pytest.fixture
def root(tmp_path):
    return tmp_path / "bids"


def put(root, *names):
    """Make empty files, each in the folder of its subject and session."""
    for name in names:
        place, _, file = name.rpartition("/")
        parts = [part for part in file.split("_") if part.startswith(("sub-", "ses-"))]
        folder = root.joinpath(place, *parts, "anat")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"x")


def dataset(root, domain="suffix", **options):
    return Bids(BidsOptions(domain=domain, **options), root, root / "cache")


def cases(root, domain="suffix", **options):
    return dataset(root, domain, **options).cases()


def refusal(root, domain="suffix", **options):
    with pytest.raises(InputError) as caught:
        cases(root, domain, **options)
    return [str(problem) for problem in caught.value.problems]


def labels(found):
    return {case.id: case.label.name if case.label else None for case in found}


def test_suffixes_are_domains_of_the_same_subjects(root):
    put(root, "sub-1_T1w.nii.gz", "sub-1_FLAIR.nii", "sub-2_T1w.nii.gz", "sub-2_T2w.nii.gz")
    put(root, "derivatives/d/sub-1_T1w_dseg.nii.gz", "derivatives/d/sub-1_FLAIR_dseg.nii.gz")
    found = cases(root, images=("T1w", "FLAIR"))
    assert [(case.id, case.subject, case.domain) for case in found] == [
        ("sub-1_FLAIR", "sub-1", "FLAIR"),
        ("sub-1_T1w", "sub-1", "T1w"),
        ("sub-2_T1w", "sub-2", "T1w"),
    ]
    assert labels(found) == {
        "sub-1_FLAIR": "sub-1_FLAIR_dseg.nii.gz",
        "sub-1_T1w": "sub-1_T1w_dseg.nii.gz",
        "sub-2_T1w": None,
    }


def test_sessions_are_domains_and_their_labels_do_not_mix(root):
    put(root, "sub-1_ses-a_T1w.nii.gz", "sub-1_ses-b_T1w.nii.gz", "sub-1_ses-b_run-2_T1w.nii.gz")
    put(root, "derivatives/d/sub-1_ses-b_dseg.nii.gz", "derivatives/d/sub-1_ses-a_dseg.nii.gz")
    put(root, "derivatives/d/sub-1_ses-b_run-2_dseg.nii.gz")
    found = cases(root, "entity:ses")
    assert [case.domain for case in found] == ["a", "b", "b"]
    assert labels(found) == {
        "sub-1_ses-a": "sub-1_ses-a_dseg.nii.gz",
        "sub-1_ses-b": "sub-1_ses-b_dseg.nii.gz",
        "sub-1_ses-b_run-2": "sub-1_ses-b_run-2_dseg.nii.gz",
    }
    problems = refusal(root, "entity:acq")
    assert problems[0].startswith("sub-1_ses-a image: has no acq to tell its domain; name another")
    assert len(problems) == 3


def test_channels_are_joined_and_a_missing_one_is_named(root):
    put(root, "sub-1_acq-x_T1w.nii.gz", "sub-1_FLAIR.nii.gz", "sub-2_acq-x_T1w.nii.gz")
    put(root, "derivatives/d/sub-1_space-T1w_label-a_mask.nii.gz", "sub-1_acq-y_FLAIR.nii.gz")
    (root / "participants.tsv").write_text(
        "participant_id\tscanner\nsub-1\tGE 3T\n\nsub-2\tn/a\n", encoding="utf-8-sig"
    )
    options = {"images": ("acq-x_T1w", "FLAIR"), "label": "space-T1w_label-a_mask"}
    problems = refusal(root, "column:scanner", **options)
    assert [problem.split(";")[0] for problem in problems] == [
        "sub-2 image: has no scanner to tell its domain",
        "sub-1_acq-y_GE-3T image: no such file, got sub-1/anat/sub-1_acq-y_acq-x_T1w.nii.gz",
        "sub-2 image: no such file, got sub-2/anat/sub-2_FLAIR.nii.gz",
    ]
    out = ("sub-2", "sub-1_acq-y_GE-3T")
    (case,) = cases(root, "column:scanner", **options, leave_out=out)
    assert (case.id, case.domain) == ("sub-1_GE-3T", "GE-3T")
    assert [file.name for file in case.images] == ["sub-1_acq-x_T1w.nii.gz", "sub-1_FLAIR.nii.gz"]
    assert case.label.name == "sub-1_space-T1w_label-a_mask.nii.gz"


def test_labels_of_two_pipelines_are_told_apart_by_the_option(root):
    put(root, "sub-1_T1w.nii.gz", "derivatives/a/sub-1_dseg.nii.gz")
    flat = root / "derivatives" / "b" / "sub-1" / "sub-1_dseg.nii.gz"
    flat.parent.mkdir(parents=True)
    flat.write_bytes(b"x")
    (several,) = refusal(root)
    assert several.startswith("sub-1_T1w label: must be one file, got ")
    assert "name data.options.pipeline" in several
    assert cases(root, pipeline="b")[0].label == flat
    assert "holds no label *_dseg.nii.gz below derivatives" in refusal(root, pipeline="c")[0]
    assert "holds no image *_T2w.nii.gz" in refusal(root, images=("T2w",))[0]


def test_of_several_labels_the_one_that_shares_most_is_taken(root):
    put(root, "sub-1_acq-x_T1w.nii.gz", "sub-1_acq-x_T2w.nii.gz", "sub-1_acq-y_T2w.nii.gz")
    made = "derivatives/d/sub-1"
    put(root, f"{made}_dseg.nii.gz", f"{made}_T1w_dseg.nii.gz", f"{made}_acq-x_T2w_dseg.nii.gz")
    assert labels(cases(root, images=("acq-x_T1w", "acq-x_T2w", "acq-y_T2w"))) == {
        "sub-1_acq-x_T1w": "sub-1_T1w_dseg.nii.gz",
        "sub-1_acq-x_T2w": "sub-1_acq-x_T2w_dseg.nii.gz",
        "sub-1_acq-y_T2w": "sub-1_dseg.nii.gz",
    }


def test_names_that_are_not_of_the_subject_or_of_the_standard_are_passed_over(root):
    put(root, "sub-1_T1w.nii.gz", "sub-1_old_T1w.nii.gz", "derivatives/d/sub-1_dseg.nii.gz")
    (root / "sub-1" / "anat" / "sub-2_T1w.nii.gz").write_bytes(b"x")
    (root / "sub-1" / "anat" / "sub-1_T1w.json").write_text("{}")
    assert [case.id for case in cases(root)] == ["sub-1_T1w"]


def test_two_images_with_the_same_name_are_refused(root):
    put(root, "sub-1_T1w.nii.gz", "sub-1_T1w.nii", "derivatives/d/sub-1_dseg.nii.gz")
    (twin,) = refusal(root)
    assert twin.startswith("sub-1 image: must be one file, got sub-1_T1w.nii and sub-1_T1w.nii.gz")


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (b"participant_id\tage\nsub-1\t3\n", "participants.tsv:1: must have the columns"),
        (b"", "participants.tsv:1: must have the columns participant_id and site, each once"),
        (b"participant_id\tsite\tsite\n", "participants.tsv:1: must have the columns"),
        (
            b"participant_id\tsite\nsub-1\ta\nsub-1\tb\n",
            "participants.tsv:3: repeats a participant",
        ),
        (b"participant_id\tsite\nsub-1\n", "sub-1 image: has no site to tell its domain"),
        (b"participant_id\tsite\nsub-1\t \n", "sub-1 image: has no site to tell its domain"),
        (b"participant_id\tsite\nsub-1\t\xff\n", "participants.tsv: must be text in UTF-8"),
        (None, "participants.tsv: cannot be read, got No such file"),
        (b"x" * (10 << 20) + b"x", "participants.tsv: must not be larger than 10 MiB"),
    ],
)
def test_a_damaged_table_of_participants_is_refused(root, table, problem):
    put(root, "sub-1_T1w.nii.gz", "derivatives/d/sub-1_dseg.nii.gz")
    if table is not None:
        (root / "participants.tsv").write_bytes(table)
    assert refusal(root, "column:site")[0].startswith(problem)


def test_the_table_of_participants_is_not_read_through_a_link_out_of_the_root(root, tmp_path):
    put(root, "sub-1_T1w.nii.gz", "derivatives/d/sub-1_dseg.nii.gz")
    (tmp_path / "secret.tsv").write_text("participant_id\tsite\nsub-1\ta\n")
    os.symlink(tmp_path / "secret.tsv", root / "participants.tsv")
    assert "must lie below the root, links included" in refusal(root, "column:site")[0]


@pytest.mark.parametrize(
    "options",
    [
        {"domain": "site"},
        {"domain": "entity:"},
        {"domain": "suffix", "images": ["*"]},
        {"domain": "suffix", "images": []},
        {"domain": "suffix", "label": "../dseg"},
        {"domain": "suffix", "pipeline": "../elsewhere"},
        {"domain": "suffix", "pipeline": ".."},
    ],
)
def test_options_that_are_no_endings_are_refused(options):
    with pytest.raises(ValidationError):
        BidsOptions.model_validate(options)
