import json
from dataclasses import replace

import pytest

from uda_study.engine import records
from uda_study.errors import InputError
from uda_study.study.cells import study_id
from uda_study.study.validate import load_study


@pytest.fixture
def write(study, tmp_path):
    folder = tmp_path / "tiny-1"
    folder.mkdir()

    def run(data=None, **changes):
        resolved = json.loads(json.dumps(study.resolved))
        for key, value in changes.items():
            section, _, name = key.partition("__")
            resolved[section] = {**resolved[section], name: value} if name else value
        records.write_study_files(folder, resolved, study.text, data or study.data)
        return folder

    return run


def test_the_files_of_a_study_are_written(write, study, study_file):
    folder = write()
    assert {path.name for path in folder.iterdir()} == {
        "study.yaml", "original.yaml", "environment.txt", "data.json",
    }  # fmt: skip
    assert (folder / "original.yaml").read_text() == study_file.read_text()
    assert "torch==" in (folder / "environment.txt").read_text()


def test_the_resolved_study_is_read_back_as_the_same_study(write, study):
    again = load_study(write() / "study.yaml")
    assert again.spec == study.spec
    assert study_id(again.resolved) == study.id


def test_writing_the_same_twice_changes_nothing(write):
    folder = write(search__seed=3, fixed={"optim.lr": 1e-05, "align.type": "off", "n": "010"})
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write(search__seed=3, fixed={"optim.lr": 1e-05, "align.type": "off", "n": "010"})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_other_settings_are_refused_by_name(write):
    folder = write()
    before = (folder / "study.yaml").read_bytes()
    with pytest.raises(InputError) as raised:
        write(search__num_samples=9, metric="blind/entropy")
    metric, samples = raised.value.problems
    assert metric.where.startswith("study tiny-1 study.yaml:")
    assert metric.where.endswith(" metric")
    assert metric.value == '"blind/score" -> "blind/entropy"'
    assert (samples.where.split()[-1], samples.value) == ("search.num_samples", "4 -> 9")
    assert (folder / "study.yaml").read_bytes() == before


def test_what_no_result_depends_on_may_change(write):
    write()
    folder = write(budget__time="2h", data__root="/elsewhere")
    assert "2h" in (folder / "study.yaml").read_text()


def test_other_images_are_refused_by_case(write, study):
    write()
    data = dict(study.data)
    (key,) = data
    prepared = dict(data[key].prepared)
    changed = sorted(prepared)[0]
    prepared[changed] = replace(prepared[changed], sha256="0" * 64)
    with pytest.raises(InputError, match=f"images or labels have changed.*{changed}"):
        write(data={key: replace(data[key], prepared=prepared)})


def test_the_data_record_holds_hashes_and_splits_but_no_paths(write, study, study_file):
    text = (write() / "data.json").read_text()
    record = json.loads(text)
    (data,) = study.data.values()
    assert record["splits"]["mr->ct fold 0"]["sha256"] == data.split.sha256
    assert record["splits"]["mr->ct fold 0"]["roles"]["target_test"] == list(
        data.split.roles["target_test"]
    )
    assert set(record["cases"]) == set(data.prepared)
    assert str(study_file.parent) not in text
    assert "/" not in text
    assert ".nii" not in text
