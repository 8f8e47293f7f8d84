"""Commands that read study files and images, and train nothing."""

import pytest

import uda_study
from uda_study.testing.fakes import STUDY


def test_version(call):
    ended = call("--version")
    assert (ended.code, ended.out) == (0, f"uda-study {uda_study.__version__}\n")


def test_an_unknown_command_is_invalid_input(call):
    ended = call("trian")
    assert ended.code == 2
    assert "trian" in ended.err
    assert ended.out == ""


def test_validate_counts_the_cells_of_a_good_file(call, study_file):
    ended = call("validate", study_file)
    assert (ended.code, ended.out, ended.err) == (0, f"{study_file}: valid, 2 cells\n", "")
    assert call("validate", study_file, "--json").json == {
        "valid": True, "cells": {str(study_file): 2},
    }  # fmt: skip


def test_validate_lists_every_problem_with_file_and_line(call, tmp_path):
    bad = STUDY.replace("num_samples: 4", "num_samples: 0").replace("depth: [g2,", "depth: [g99,")
    bad += "  no_such.key: 1\n"
    (tmp_path / "bad.yaml").write_text(bad)
    ended = call("validate", "bad.yaml")
    assert ended.code == 2
    assert ended.out == ""
    lines = ended.err.splitlines()
    assert len(lines) == 3
    expected = [(5, "g99"), (8, "num_samples"), (len(bad.splitlines()), "no_such.key")]
    for line, (number, what) in zip(lines, expected, strict=True):
        assert line.startswith(f"uda-study: error: bad.yaml:{number} ")
        assert what in line


def test_validate_lists_the_problems_of_all_files(call, study_file, tmp_path):
    (tmp_path / "bad.yaml").write_text("version: 1\n")
    ended = call("validate", study_file, "bad.yaml", "missing.yaml")
    assert ended.code == 2
    assert "bad.yaml:1" in ended.err
    assert "missing.yaml: no such file" in ended.err
    assert "Traceback" not in ended.err


def test_set_replaces_a_value_of_the_file(call, study_file):
    ended = call("validate", study_file, "--set", "matrix.direction=[mr->ct, ct->mr]")
    assert ended.out == f"{study_file}: valid, 4 cells\n"
    ended = call("validate", study_file, "--set", "search.num_samples=none")
    assert ended.code == 2
    assert "num_samples" in ended.err


def test_plan_prints_one_document(call, study_file, tmp_path):
    ended = call("plan", study_file, "--json", "--home", "home")
    assert ended.code == 0
    assert ended.json["study"].startswith("tiny-")
    counts = {key: ended.json[key] for key in ("cells", "search_trials", "confirmations")}
    assert counts == {"cells": 2, "search_trials": 8, "confirmations": 4}
    assert ended.json["seconds"] > 0
    assert not list((tmp_path / "home").glob("studies/*"))


def test_plan_tells_people_what_would_happen(call, study_file):
    ended = call("plan", study_file, "--smoke")
    assert ended.code == 0
    assert "✓ splits by subject, strict" in ended.out
    assert "target labels withheld" in ended.out
    assert "depth=g2 direction=mr->ct" in ended.out
    assert "no_adaptation direction=mr->ct" in ended.out
    assert ended.err == ""


def test_plan_names_images_that_are_missing(call, tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "manifest.csv").write_text("subject,domain,image,label\np1,mr,one.nii,two.nii\n")
    ended = call("plan", "study.yaml")
    assert ended.code == 2
    lines = ended.err.splitlines()
    assert len(lines) == 2
    assert all("manifest.csv:2: no such file" in line for line in lines)


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_home_that_is_a_file_is_invalid_input(call, study_file, tmp_path, command):
    (tmp_path / "occupied").touch()
    ended = call(command, study_file, "--home", "occupied")
    assert ended.code == 2
    assert ended.err.startswith("uda-study: error: home: must be a folder that can be written to")
    assert "choose another with --home or UDA_STUDY_HOME" in ended.err
    assert "Traceback" not in ended.err


def test_an_unknown_study_is_named_with_those_that_are_near(call, tmp_path):
    ended = call("resume", "tyni", "--home", "home")
    assert ended.code == 2
    assert "unknown study, got 'tyni'; no study of that name was run here" in ended.err
    for name in ("tiny-1", "tiny-2"):
        (tmp_path / "home" / "studies" / name).mkdir(parents=True)
        (tmp_path / "home" / "studies" / name / "study.yaml").touch()
    ended = call("resume", "tyny-1", "--home", "home")
    assert ended.code == 2
    assert "unknown study, got 'tyny-1'; did you mean tiny-1" in ended.err
    assert "names more than one, got 'tiny'" in call("resume", "tiny", "--home", "home").err


def test_init_writes_files_that_validate_and_overwrites_none(call, tmp_path):
    ended = call("init", "mine")
    assert ended.code == 0
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"study.yaml", "manifest.csv"}
    assert call("validate", "mine/study.yaml").out == "mine/study.yaml: valid, 3 cells\n"
    before = (tmp_path / "mine" / "study.yaml").read_bytes()
    (tmp_path / "mine" / "manifest.csv").unlink()
    ended = call("init", "mine")
    assert ended.code == 2
    assert "must not overwrite files" in ended.err
    assert "study.yaml" in ended.err
    assert (tmp_path / "mine" / "study.yaml").read_bytes() == before
    assert not (tmp_path / "mine" / "manifest.csv").exists()
