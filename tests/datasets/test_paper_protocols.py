"""What ``split: paper`` and ``split: strict`` of a study file become with each published tree."""

from collections import Counter
from pathlib import Path

import pytest

from uda_study import plugins
from uda_study.data.splits import make_split
from uda_study.dataset import Dataset
from uda_study.study.validate import load_study
from uda_study.types import Case, Direction

STUDY = """\
version: 1
name: protocol
method: no_adaptation
baselines: []
matrix: {{direction: [a->b]}}
data:
  dataset: {dataset}
  root: .
  options: {options}
  split: {split}
"""
OPTIONS = {"ixi": "{labels: maps}", "bids": "{domain: suffix}"}


def data_of(folder: Path, dataset: str, split: str):
    """Return the data section of a study that names the dataset and the protocol."""
    file = folder / "study.yaml"
    options = OPTIONS.get(dataset, "{}")
    file.write_text(STUDY.format(dataset=dataset, split=split, options=options))
    return load_study(file).spec.data


def dealt(data, subjects: int):
    """Return the roles of every fold for so many subjects in each of two domains."""
    cases = [
        Case(f"{domain}-{number}", f"{domain}-{number}", domain, (Path("i"),), Path("l"))
        for domain in ("a", "b")
        for number in range(subjects)
    ]
    direction = Direction("a", "b")
    return [
        make_split(cases, direction, data.split, fold, data.folds).roles
        for fold in range(data.folds)
    ]


@pytest.mark.parametrize("split", ["paper", "strict"])
def test_wmh_deals_twenty_subjects_as_the_paper(tmp_path, split):
    data = data_of(tmp_path, "wmh2017", split)
    folds = dealt(data, 20)
    for train, val, test in (
        ("source_train", "source_val", "source_test"),
        ("target_adapt", "target_val", "target_test"),
    ):
        counts = Counter((len(r[train]), len(r[val]), len(r[test])) for r in folds)
        assert counts == {(14, 3, 3): 6, (15, 3, 2): 1}
        assert set(Counter(name for r in folds for name in r[test]).values()) == {1}
        assert len({name for r in folds for name in r[test]}) == 20
    for roles in folds:
        assert not set(roles["source_val"]) & set(roles["source_test"] + roles["source_train"])


@pytest.mark.parametrize(
    ("dataset", "subjects", "folds", "train", "test"),
    [("mmwhs", 20, 1, 16, 4), ("lits", 130, 5, 104, 26), ("msseg2016", 5, 5, 4, 1),
     ("ixi", 100, 1, 70, 30)],
)  # fmt: skip
def test_papers_without_validation_are_validated_on_the_test(
    tmp_path, dataset, subjects, folds, train, test
):
    data = data_of(tmp_path, dataset, "paper")
    split = dealt(data, subjects)
    assert len(split) == folds
    for roles in split:
        assert (len(roles["target_adapt"]), len(roles["target_test"])) == (train, test)
        assert roles["target_val"] == roles["target_test"]


@pytest.mark.parametrize("dataset", ["mmwhs", "lits", "msseg2016", "ixi"])
def test_strict_takes_a_validation_of_its_own_where_the_paper_had_none(tmp_path, dataset):
    data = data_of(tmp_path, dataset, "strict")
    paper = plugins.load("datasets", dataset, Dataset).paper
    assert (data.folds, data.split.test) == (paper.folds, paper.test)
    assert data.split.val == 0.2
    for roles in dealt(data, 20):
        assert len(roles["target_val"]) == 4
        assert not set(roles["target_val"]) & set(roles["target_test"])


def test_own_images_come_with_no_protocol(tmp_path):
    with pytest.raises(Exception, match="comes with no paper's protocol"):
        data_of(tmp_path, "bids", "paper")
