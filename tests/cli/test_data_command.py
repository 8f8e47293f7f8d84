"""``uda-study data check``, and the same check before a study is planned or run."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from uda_study.testing.fakes import write_tiny_study


@pytest.fixture
def own_study(tmp_path: Path) -> Path:
    """A study beside its images, to be changed."""
    return write_tiny_study(tmp_path / "own")


def copied(study: Path, first: str, second: str, change=None) -> None:
    """Put the image of one case in the place of another's, changed or not."""
    images = study.parent / "images"
    source, target = (images / f"{name}_image.nii.gz" for name in (first, second))
    shutil.copy(source, target)
    if change is not None:
        stored = nib.load(source)
        array = np.asarray(stored.dataobj)
        nib.Nifti1Image(change(array).astype(np.float32), stored.affine).to_filename(target)


def test_a_sound_study_is_checked_and_nothing_is_written(call, study_file, tmp_path):
    ended = call("data", "check", study_file)
    assert ended.code == 0
    assert "mr0_mr" in ended.out
    assert "JS mr and ct, as prepared: " in ended.out
    assert ended.err == "10 cases: 0 errors, 0 warnings\n"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_read_by_its_manifest_and_labels_can_be_named(call, study_file):
    root = study_file.parent
    ended = call("data", "check", root, "--json")
    assert ended.code == 0
    assert list(ended.json["cases"][0]["volumes_ml"]) == ["foreground"]
    ended = call("data", "check", root, "--json", "--set", "data.labels={box: [1], core: [2]}")
    assert list(ended.json["cases"][0]["volumes_ml"]) == ["box", "core"]


def test_one_document_holds_all_that_was_found(call, own_study):
    copied(own_study, "mr0", "mr3")
    ended = call("data", "check", own_study, "--json")
    assert ended.code == 2
    found = ended.json
    assert {key: found[key] for key in ("dataset", "study", "directions")} == {
        "dataset": "manifest", "study": "tiny", "directions": ["mr->ct"],
    }  # fmt: skip
    (error,) = found["errors"]
    assert error["cases"] == ["mr3_mr", "mr0_mr"]
    assert error["rule"].startswith("is the same image as that of mr0_mr, another subject")
    assert found["warnings"] == []
    first = found["cases"][0]
    assert (first["id"], first["size"], first["spacing_mm"]) == ("mr0_mr", [16, 16, 3], [1, 1, 2])
    assert set(first["label_values"]) == {"0", "1", "2"}
    js = found["js"]["as prepared"]
    assert js["domains"] == ["mr", "ct"]
    assert js["excess"][0][0] is None
    assert js["divergence"][0][1] > js["divergence"][0][0] > 0
    assert "uda-study: error: mr3_mr image: is the same image" in ended.err


def test_a_page_is_written_though_there_are_errors(call, own_study, tmp_path):
    (own_study.parent / "images" / "ct1_image.nii.gz").write_bytes(b"")
    ended = call("data", "check", own_study, "-o", "page.html")
    assert ended.code == 2
    assert "uda-study: error: ct1_ct image: the file is empty" in ended.err
    assert "page: page.html" in ended.err
    text = (tmp_path / "page.html").read_text()
    assert "ct1_ct image: the file is empty" in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "nowhere: no such file; give the path of a study file"),
        ((".",), ".: has no manifest.csv; name what lies there with --dataset"),
        ((".", "--dataset", "manifst"), "unknown dataset, got 'manifst'; did you mean 'manifest'"),
        ((".", "--dataset", "manifest", "--set", "data.spacng=1"), "did you mean 'data.spacing'"),
        ((".", "--dataset", "manifest", "--set", "data.options={a: 1}"), "options.a: unknown key"),
        (("a.yaml", "--dataset", "manifest"), "--dataset: goes with a folder"),
        ((".", "-o", "no/page.html"), "-o: must be a file in a folder that exists"),
    ],
)
def test_what_cannot_be_checked_is_refused_with_a_remedy(call, words, said):
    ended = call("data", "check", *words)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("uda-study: error: ")
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_splits_that_cannot_be_dealt_hide_no_bad_case(call, own_study):
    (own_study.parent / "images" / "ct1_image.nii.gz").write_bytes(b"")
    ended = call("data", "check", own_study, "--set", "data.folds=5", "--set", "data.split.val=0",
                 "--json")  # fmt: skip
    assert ended.code == 2
    rules = [error["rule"] for error in json.loads(ended.out)["errors"]]
    assert any("no labelled case" in rule for rule in rules)
    assert "the file is empty" in rules


def test_quiet_keeps_errors_and_drops_notes(call, own_study):
    copied(own_study, "mr0", "mr3")
    label = own_study.parent / "images" / "mr1_label.nii.gz"
    stored = nib.load(label)
    array = np.asarray(stored.dataobj).copy()
    array[0, 0, 0] = 9
    nib.Nifti1Image(array, stored.affine).to_filename(label)
    assert "warning: mr1_mr label: has values" in call("data", "check", own_study).err
    ended = call("data", "check", own_study, "-q")
    assert [line.split(" image")[0] for line in ended.err.splitlines()] == [
        "uda-study: error: mr3_mr"
    ]


def test_a_study_with_one_image_under_two_subjects_is_not_run(call, own_study, tmp_path):
    copied(own_study, "ct0", "ct4")
    for command in ("plan", "run"):
        ended = call(command, own_study, "--home", "home")
        assert ended.code == 2
        assert "ct4_ct image: is the same image as that of ct0_ct, another subject" in ended.err
        assert not list((tmp_path / "home").glob("studies/*"))


def test_copies_with_noise_are_refused_across_training_and_test(call, own_study):
    def changed(array):
        return 7 * array + np.random.default_rng(0).normal(0, 0.1, array.shape)

    subjects = [f"ct{number}" for number in range(5)]
    for number in range(1, 5):
        copied(own_study, "ct0", f"ct{number}", changed)
    ended = call("plan", own_study, "--home", "home")
    assert ended.code == 2
    assert "and mr->ct fold 0 trains on one and tests on the other, got similarity" in ended.err
    pairs = [line for line in ended.err.splitlines() if "nearly equals" in line]
    assert 0 < len(pairs) < len(subjects) * (len(subjects) - 1) / 2 + 1
