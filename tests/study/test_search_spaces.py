import re
from pathlib import Path

import pytest

from uda_study import plugins
from uda_study.study.cells import baseline_cells, cells, search_trial, study_id
from uda_study.study.hyper import load_method, resolve_hyper
from uda_study.study.plan import plan
from uda_study.study.schema import schema_text
from uda_study.study.smoke import smoke
from uda_study.study.space import space_of
from uda_study.study.validate import load_study

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "search_spaces").glob("*.yaml"))
BASELINES = {"no_adaptation", "target_supervised"}


def test_there_are_search_spaces() -> None:
    named = {"compare_methods", "identity_term", "dam_depth", "dadr_weights", "seg_renorm"}
    assert named | {"seuda_semantic", "quick", "glioma", "cord"} <= {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_search_space_opens_with_its_question_and_its_cost(path: Path) -> None:
    lines = path.read_text().splitlines()
    comment = " ".join(line.strip("# ") for line in lines[1 : lines.index("version: 1")])
    assert "?" in comment
    assert re.search(r"(about|in about) (\d+|two|three) minutes", comment)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_search_space_is_valid_and_can_be_planned(path: Path) -> None:
    study = load_study(path)
    assert study.spec.name == path.stem
    assert study.text.startswith("# yaml-language-server: $schema=../schema/study.v1.json\n")
    points = cells(study.spec)
    planned = plan(study.spec, points)
    assert planned.search_trials + planned.confirmations > 0
    assert plan(smoke(study.spec), cells(smoke(study.spec))).search_trials <= 4


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_first_trial_of_every_cell_lies_in_its_space(path: Path) -> None:
    study = load_study(path)
    for cell in cells(study.spec):
        space, first = space_of(study.spec, cell)
        assert all(space.contains(setting) for setting in first)
        trial = search_trial(study.spec, study_id(study.resolved), cell, 0, first[0])
        resolve_hyper(load_method(cell.method), trial.params)


def test_every_method_has_a_search_space() -> None:
    used = {
        cell.method
        for path in FILES
        for spec in [load_study(path).spec]
        for cell in (*cells(spec), *baseline_cells(spec))
    }
    assert used >= set(plugins.names("methods"))


def test_the_schema_file_is_the_generated_one() -> None:
    assert (ROOT / "schema" / "study.v1.json").read_text() == schema_text(), (
        "run: python -m uda_study.study.schema > schema/study.v1.json"
    )


def test_a_published_value_that_the_constants_rule_out_is_replaced_by_the_first_of_the_range(
    tmp_path: Path,
) -> None:
    text = (
        "version: 1\nname: depths\nmethod: dam\nmatrix: {direction: [mr->ct]}\n"
        "data: {dataset: phantom}\nparameters:\n  segmenter.name: dilated_fcn\n"
        "  dam.depth: {type: categorical, choices: [g3, g5]}\n"
    )
    (tmp_path / "depths.yaml").write_text(text)
    spec = load_study(tmp_path / "depths.yaml").spec
    (cell,) = cells(spec)
    space, first = space_of(spec, cell)
    assert first[0] == {"depth": "g3"}
    assert space.outside(load_method("dam")) == {}
