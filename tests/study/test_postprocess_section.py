from pathlib import Path

import pytest

from uda_study.errors import InputError
from uda_study.study.cells import study_id
from uda_study.study.validate import load_study

STUDY = """\
name: lungs
method: no_adaptation
metric: blind/entropy
matrix: {{direction: [pa->ap]}}
data: {{dataset: {dataset}{labels}}}
postprocess: {section}
"""
LABELS = ", labels: {left_lung: [1], right_lung: [2]}"


def load(folder: Path, section: str, dataset: str = "manifest", labels: str = LABELS):
    file = folder / "study.yaml"
    file.write_text(STUDY.format(section=section, dataset=dataset, labels=labels))
    return load_study(file)


def problems(folder: Path, section: str, **data: str) -> list[str]:
    with pytest.raises(InputError) as raised:
        load(folder, section, **data)
    return [str(problem) for problem in raised.value.problems]


def test_nothing_is_post_processed_unless_the_study_says_so(tmp_path: Path) -> None:
    steps = load(tmp_path, "{}").spec.postprocess
    assert (steps.largest_component, steps.fill_holes) == (False, False)


def test_structures_are_all_or_named(tmp_path: Path) -> None:
    steps = load(tmp_path, "{largest_component: true, fill_holes: [left_lung]}").spec.postprocess
    assert (steps.largest_component, steps.fill_holes) == (True, ("left_lung",))


def test_post_processing_makes_another_study(tmp_path: Path) -> None:
    sections = ("{}", "{fill_holes: true}", "{fill_holes: [left_lung]}")
    assert len({study_id(load(tmp_path, text).resolved) for text in sections}) == 3


@pytest.mark.parametrize(
    ("section", "found"),
    [
        (
            "{fill_holes: [left_lungs]}",
            "fill_holes[0]: unknown structure, got \"left_lungs\"; did you mean 'left_lung'?",
        ),
        (
            "{largest_component: [right_lung, background]}",
            'largest_component[1]: unknown structure, got "background";'
            " choose from left_lung, right_lung",
        ),
        (
            "{fill_holes: [left_lung, left_lung]}",
            'fill_holes[1]: is given twice, got "left_lung"; keep one',
        ),
        (
            "{fill_holes: []}",
            "fill_holes: must have at least 1 entries, got []; write true for all, false for none",
        ),
        ("{fill_holes: 3}", "fill_holes: must be true or false or a list, got 3"),
        ("{close_holes: true}", "close_holes: unknown key; did you mean 'fill_holes'?"),
    ],
)
def test_what_is_no_structure_is_found_with_its_line(tmp_path, section, found):
    assert problems(tmp_path, section) == [f"study.yaml:6 postprocess.{found}"]


def test_names_are_those_of_the_dataset_unless_the_study_names_its_own(tmp_path: Path) -> None:
    load(tmp_path, "{fill_holes: [foreground]}", labels="")
    assert problems(tmp_path, "{fill_holes: [left_lung]}", labels="") == [
        'study.yaml:6 postprocess.fill_holes[0]: unknown structure, got "left_lung";'
        " choose from foreground"
    ]


def test_of_an_unknown_dataset_only_that_is_said(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "{fill_holes: [lung]}", dataset="lungs_of_mars", labels="")
    assert "unknown dataset" in found
