"""Twenty-five kinds of bad input, each refused by the same rule wherever images are read.

Numbers as in the names of the rows; 23 and 25 are study files, 24 is a manifest. A case without a
label is no fault, so number 20, a label without foreground, is refused wherever labels are read,
and prediction, which reads none, never meets it.
"""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from bad_files import BOX, IMAGES, ROWS, case_of, nifti

from uda_study.cli import app
from uda_study.data.check import check_cases
from uda_study.data.prepare import prepare
from uda_study.dataset import Preprocessing
from uda_study.datasets.manifest import Manifest, ManifestOptions
from uda_study.errors import InputError
from uda_study.study.validate import load_study
from uda_study.testing.fakes import STUDY
from uda_study.types import Case

PRESET = Preprocessing(labels={"box": (1,)})


def assert_says(problem, name: str, alias: str = "case7") -> None:
    row = ROWS[name]
    assert problem.where == f"{alias} {'image' if name in IMAGES else 'label'}"
    assert row.rule in problem.rule
    assert (row.value or "") in (problem.value or "")
    assert row.remedy in (problem.remedy or "")


@pytest.mark.parametrize("name", ROWS)
def test_a_bad_file_is_refused_with_alias_rule_value_and_remedy(tmp_path: Path, name: str) -> None:
    case = case_of(name, tmp_path / "data")
    with pytest.raises(InputError) as caught:
        prepare([case], PRESET, tmp_path / "cache")
    (problem,) = caught.value.problems
    assert_says(problem, name)
    assert list((tmp_path / "cache").rglob("*.np*")) == []
    before = sorted(tmp_path.rglob("*"))
    (remark,) = check_cases([case], PRESET).remarks
    assert remark.fatal
    assert remark.problem == problem
    assert sorted(tmp_path.rglob("*")) == before


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> object:
    monkeypatch.setattr(sys, "argv", ["uda-study", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        app.main()
    return ended.value.code


def test_all_bad_files_are_listed_in_one_go_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["subject,domain,image,label"]
    root = tmp_path / "root"
    for number, name in enumerate(ROWS):
        case = case_of(name, root / f"p{number}")
        image, label = (str(path.relative_to(root)) for path in (*case.images, *case.labels))
        rows.append(f"p{number},mr,{image},{label}")
    (root / "manifest.csv").write_text("\n".join(rows) + "\n")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert run(monkeypatch, "data", "check", root, "--set", "data.labels={box: [1]}") == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    errors = [line for line in err.splitlines() if line.startswith("uda-study: error: ")]
    assert len(errors) == len(ROWS)
    for number, (name, line) in enumerate(zip(ROWS, errors, strict=True)):
        assert f" p{number}_mr " in line
        assert ROWS[name].rule in line
        assert (ROWS[name].value or "") in line
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("way", ["24 link", "24 parent", "24 absolute"])
def test_files_outside_the_data_root_are_refused(tmp_path: Path, way: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    outside = nifti(tmp_path, name="outside.nii")
    (root / "link.nii").symlink_to(outside)
    named = {"24 link": "link.nii", "24 parent": "../outside.nii", "24 absolute": str(outside)}[way]
    (root / "manifest.csv").write_text(f"subject,domain,image,label\np1,mr,{named},\n")
    with pytest.raises(InputError) as caught:
        Manifest(ManifestOptions(), root, tmp_path / "cache").cases()
    (problem,) = caught.value.problems
    assert problem.where == "manifest.csv:2"
    assert problem.rule == "must lie below the data root, links included"
    assert problem.value == repr(named)
    assert problem.remedy == "correct the path"
    assert not (tmp_path / "cache").exists()


RANGE = "optim.lr: {type: float, low: 1e-4, high: 1e-3, log: true}"
FILES = {
    "23 text for a number": (
        STUDY.replace("steps: 6", "steps: six"), "parameters.steps", "whole number", '"six"', "",
    ),
    "23 duplicate key": (
        STUDY + "  steps: 7\n", "parameters.steps", "is given twice", "", "keep one"
    ),
    "23 off": (STUDY + "  norm: off\n", "parameters.norm", "true or false", "off", ""),
    "23 010": (
        STUDY + "  depth: 010\n", "parameters.depth", "must not start with 0", "010", "decimal"
    ),
    "25 python tag": (
        STUDY.replace("tiny", "!!python/object:os.system x"), "study.yaml:2", "tags", "", "plain"
    ),
    "25 deep nesting": ("a:\n  " + "[" * 99, "study.yaml:2", "deeper than 20 levels", "", ""),
    "25 alias bomb": (
        "a: &a [x, x]\nb: &b [*a, *a]\n", "study.yaml:1", "anchors", "", "write the value out"
    ),
    "25 unknown key": (STUDY + "serach: {}\n", "serach", "unknown key", "", "search"),
    "25 low > high": (
        STUDY.replace(RANGE, "optim.lr: {type: float, low: 1, high: 0.1}"),
        "optim.lr.low", "greater than high = 0.1", "1.0", "",
    ),
    "25 log of 0": (
        STUDY.replace(RANGE, "optim.lr: {type: float, low: 0, high: 1, log: true}"),
        "optim.lr.low", "greater than 0 where log is true", "0.0", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_bad_study_file_is_refused_with_line_rule_value_and_remedy(
    tmp_path: Path, name: str
) -> None:
    text, where, rule, value, remedy = FILES[name]
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        load_study(tmp_path / "study.yaml")
    found = [problem for problem in caught.value.problems if rule in problem.rule]
    assert found, caught.value
    assert found[0].where.startswith("study.yaml:")
    assert where in found[0].where
    assert value in (found[0].value or "")
    assert remedy in (found[0].remedy or "")
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


def test_a_bad_study_file_ends_the_command_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text(FILES["25 low > high"][0])
    assert run(monkeypatch, "data", "check", "study.yaml") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("uda-study: error: study.yaml:")
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


def test_every_kind_has_a_row() -> None:
    names = [*ROWS, *FILES, "24 link"]
    assert {int(name.split()[0]) for name in names} == set(range(1, 26))


def test_the_rows_differ_from_sound_files_only_in_what_is_wrong(tmp_path: Path) -> None:
    sound = Case("a", "s", "mr", (nifti(tmp_path),), nifti(tmp_path, BOX, name="l.nii"))
    assert check_cases([sound, replace(sound, id="b", label=None)], PRESET).errors == ()
