import pytest

from uda_study.data.labels import LabelReader, counted_labels
from uda_study.engine.label_access import by_role, opened_in, write_access
from uda_study.errors import LabelsWithheld


def test_labels_are_counted_while_somebody_counts_and_by_all_who_do(study):
    (data,) = study.data.values()
    case = data.cases("source_train")[0]
    reader = LabelReader([case.case.id], "training stage 'adapt'")
    reader.read(case)
    with counted_labels() as outer:
        reader.read(case)
        with counted_labels() as inner:
            reader.read_native(case)
    reader.read(case)
    assert inner == {("training stage 'adapt'", case.case.id): 1}
    assert outer == {("training stage 'adapt'", case.case.id): 2}


def test_what_is_refused_is_not_counted(study):
    (data,) = study.data.values()
    case = data.cases("target_test")[0]
    with counted_labels() as opened, pytest.raises(LabelsWithheld):
        LabelReader([], "training").read(case)
    assert opened == {}


def test_counts_are_summed_by_purpose_and_role(study):
    (data,) = study.data.values()
    (one, two), (test, *_) = data.split.roles["source_train"], data.split.roles["target_test"]
    counts = {("training", one): 2, ("training", two): 3, ("evaluation", test): 1}
    assert by_role(counts, data.split) == {
        "training": {"source_train": 5}, "evaluation": {"target_test": 1},
    }  # fmt: skip


def test_a_study_tells_what_all_its_trainings_opened(tmp_path):
    for name, purpose in (("a", "training stage 'adapt'"), ("b", "training stage 'critic'")):
        folder = tmp_path / "trials" / name
        folder.mkdir(parents=True)
        write_access(folder, {purpose: {"source_train": 2}, "evaluation on target_test": {"x": 1}})
    assert opened_in(tmp_path) == {"source_train": {"training": 4}, "x": {"evaluation": 2}}
    assert opened_in(tmp_path / "elsewhere") == {}
