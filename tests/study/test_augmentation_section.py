import json
import re
from pathlib import Path

import pytest
from study_fakes import STUDY, install_fakes, write_study

from uda_study.data.augmentation import KINDS, Affine, Gamma, kind_name
from uda_study.errors import InputError
from uda_study.study.cells import study_id
from uda_study.study.validate import load_study

PAGE = (Path(__file__).parents[2] / "docs" / "study-file.md").read_text()


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fakes(monkeypatch)


def load(folder: Path, *given: str):
    overrides = [f"data.augmentation={text}" for text in given]
    return load_study(write_study(folder, STUDY), overrides)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(InputError) as raised:
        load(folder, text)
    return [
        str(problem).removeprefix("--set data.augmentation") for problem in raised.value.problems
    ]


def test_nothing_is_augmented_unless_the_study_says_so(tmp_path: Path) -> None:
    assert load(tmp_path).spec.data.augmentation.preset == "none"


def test_transforms_can_be_listed_with_their_ranges(tmp_path: Path) -> None:
    text = "{transforms: [{type: affine, rotation: 10}, {type: gamma, p: 1, exponent: [0.5, 2]}]}"
    transforms = load(tmp_path, text).spec.data.augmentation.transforms
    assert transforms == (Affine(rotation=10), Gamma(p=1, exponent=(0.5, 2)))


def test_the_augmentation_makes_another_study(tmp_path: Path) -> None:
    ids = {
        study_id(load(tmp_path, *given).resolved)
        for given in ((), ("{preset: gamma}",), ("{transforms: [{type: gamma}]}",))
    }
    assert len(ids) == 3


KNOWN = "affine, noise, blur, brightness, contrast, low_resolution, gamma, mirror"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "{preset: nnunett}",
            ".preset: must be 'none', 'gamma', 'affine', 'nnunet' or 'nnunet_mirror',"
            ' got "nnunett"',
        ),
        ("nnunet", ': must be a mapping, got "nnunet"'),
        ("{pre: nnunet}", ".pre: unknown key; did you mean 'preset'?"),
        (
            "{preset: gamma, transforms: [{type: noise}]}",
            ": must have a preset or transforms, not both",
        ),
        (
            "{transforms: [{type: noise}, {type: affine}]}",
            ": must resample before all else: affine comes first, and once",
        ),
        (
            "{transforms: [{type: gama}]}",
            f'.transforms[0]: must have as type one of {KNOWN}, got {{"type": "gama"}}',
        ),
        ("{transforms: [3]}", f".transforms[0]: must have as type one of {KNOWN}, got 3"),
        ("{transforms: [{type: gamma, q: 1}]}", ".transforms[0].q: unknown key"),
        ("{transforms: [{type: gamma, p: 2}]}", ".transforms[0].p: must be at most 1.0, got 2"),
        (
            "{transforms: [{type: gamma, exponent: [0, 2]}]}",
            ".transforms[0].exponent[0]: must be greater than 0.0, got 0",
        ),
        (
            "{transforms: [{type: noise, std: [0.2, 0.1]}]}",
            ".transforms[0].std: must not begin above its end, got [0.2, 0.1]",
        ),
        (
            "{transforms: [{type: affine, rotation: 200}]}",
            ".transforms[0].rotation: must be at most 180.0, got 200",
        ),
        (
            "{transforms: [{type: mirror, axes: [0, 2]}]}",
            ".transforms[0].axes: must be below 2, the number of dimensions, got [0, 2]",
        ),
        (
            "{transforms: [{type: mirror, axes: []}]}",
            ".transforms[0].axes: must have at least 1 entries, got []",
        ),
    ],
)
def test_what_makes_no_sense_is_one_clear_finding(tmp_path: Path, text: str, found: str) -> None:
    assert problems(tmp_path, text) == [found]


def test_the_study_file_page_has_every_transform_with_its_defaults() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `([^`]+)` \|", PAGE, re.MULTILINE)
    shown = {(kind, key): json.loads(default) for kind, key, default in rows}
    expected = {
        (kind_name(kind), key): value
        for kind in KINDS
        for key, value in json.loads(kind().model_dump_json(exclude={"type"})).items()
    }
    assert shown == expected
