import json
from pathlib import Path

import pytest
from study_fakes import STUDY, install_fakes, write_study

from uda_study.errors import InputError
from uda_study.study.cells import (
    baseline_cells,
    baseline_trials,
    cells,
    confirm_trials,
    num_trials,
    search_trial,
    study_id,
)
from uda_study.study.model import StudySpec
from uda_study.study.smoke import smoke
from uda_study.study.source import read_study
from uda_study.types import Direction


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fakes(monkeypatch)


@pytest.fixture
def spec(tmp_path: Path) -> StudySpec:
    return read_study(write_study(tmp_path)).spec


def test_cells_are_the_cross_product_in_the_order_of_the_file(spec: StudySpec) -> None:
    assert [cell.key for cell in cells(spec)] == [
        "depth=3 direction=mr->ct",
        "depth=3 direction=ct->mr",
        "depth=5 direction=mr->ct",
        "depth=5 direction=ct->mr",
        "depth=7 direction=mr->ct",
        "depth=7 direction=ct->mr",
    ]
    first = cells(spec)[0]
    assert first.method == "dam"
    assert first.direction == Direction("mr", "ct")
    assert first.factors == {"depth": 3, "direction": "mr->ct"}
    assert first.constants == {"segmenter.width": 8, "batch_size": 4, "depth": 3}


def test_factors_of_other_methods_do_not_multiply_a_method(spec: StudySpec) -> None:
    both = spec.model_copy(
        update={
            "method": None,
            "matrix": {"method": ("dam", "cycle"), "dam.depth": (3, 5), "direction": ("mr->ct",)},
        }
    )
    assert [cell.key for cell in cells(both)] == [
        "method=dam depth=3 direction=mr->ct",
        "method=dam depth=5 direction=mr->ct",
        "method=cycle direction=mr->ct",
    ]
    assert cells(both)[2].constants == {}


def test_a_constant_direction_is_part_of_the_key(spec: StudySpec) -> None:
    one = spec.model_copy(
        update={"matrix": {"depth": (3,)}, "fixed": {**spec.fixed, "direction": "mr->ct"}}
    )
    (cell,) = cells(one)
    assert cell.key == "depth=3 direction=mr->ct"
    assert "direction" not in cell.constants


def test_a_study_without_direction_has_no_cells(spec: StudySpec) -> None:
    with pytest.raises(InputError, match="direction: is required; add direction:"):
        cells(spec.model_copy(update={"matrix": {}}))


def test_baselines_share_the_constants_that_they_have(spec: StudySpec) -> None:
    found = baseline_cells(spec)
    assert [cell.key for cell in found] == [
        "no_adaptation direction=mr->ct",
        "target_supervised direction=mr->ct",
        "no_adaptation direction=ct->mr",
        "target_supervised direction=ct->mr",
    ]
    assert all(cell.constants == {"segmenter.width": 8} for cell in found)


def test_all_search_trials_share_fold_and_seed(spec: StudySpec) -> None:
    cell = cells(spec)[0]
    trials = [search_trial(spec, "study", cell, n, {"optim.lr": n}) for n in (1, 2)]
    assert {(trial.kind, trial.fold, trial.seed) for trial in trials} == {("search", 0, 0)}
    assert trials[1].params == {**cell.constants, "optim.lr": 2}


def test_the_chosen_setting_is_confirmed_on_every_fold_and_seed(spec: StudySpec) -> None:
    folds = spec.model_copy(update={"data": spec.data.model_copy(update={"folds": 2})})
    cell = cells(folds)[0]
    chosen = search_trial(folds, "study", cell, 3, {"optim.lr": 1e-4})
    trials = confirm_trials(folds, "study", cell, [chosen])
    assert [(t.number, t.fold, t.seed) for t in trials] == [
        (3, 0, 1), (3, 0, 2), (3, 0, 3), (3, 1, 1), (3, 1, 2), (3, 1, 3),
    ]  # fmt: skip
    assert all(trial.params == chosen.params for trial in trials)
    assert len({trial.key for trial in trials}) == 6


def test_baselines_are_trained_on_every_fold_and_seed_of_the_confirmations(
    spec: StudySpec,
) -> None:
    folds = spec.model_copy(update={"data": spec.data.model_copy(update={"folds": 2})})
    trials = baseline_trials(folds, baseline_cells(folds)[0], "study")
    assert [(t.fold, t.seed) for t in trials] == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]


def test_a_cell_that_searches_nothing_has_no_trials(spec: StudySpec) -> None:
    assert num_trials(spec, cells(spec)[0]) == 4
    constant = spec.model_copy(update={"parameters": {}})
    assert num_trials(constant, cells(constant)[0]) == 0


def test_the_identity_counts_what_results_depend_on(tmp_path: Path) -> None:
    path = write_study(tmp_path)

    def identity(*overrides: str) -> str:
        return study_id(read_study(path, overrides).resolved)

    known = identity()
    assert known.startswith("dam_depth-")
    assert len(known) == len("dam_depth-7f3a")
    assert identity() == known
    assert identity("data.root=/x", "budget.time=1h", "resources.cpu=2") == known
    assert identity("checkpoint.num_to_keep=3") == known
    assert identity("search.seed=1") != known
    assert identity("parameters.batch_size=2") != known
    json.dumps(read_study(path).resolved)


def test_a_smoke_run_is_the_first_two_cells_in_short(tmp_path: Path) -> None:
    text = STUDY + "  steps: {type: int, low: 10, high: 2000}\n  dam.segmenter.steps: 300\n"
    spec = read_study(write_study(tmp_path, text)).spec
    short = smoke(spec)
    assert [cell.key for cell in cells(short)] == [cell.key for cell in cells(spec)[:2]]
    assert short.name == "dam_depth-smoke"
    assert short.search.num_samples == 2
    assert short.confirm.seeds == (1,)
    assert short.fixed["steps"] == short.fixed["segmenter.steps"] == 4
    assert "steps" not in short.parameters
    assert "dam.segmenter.steps" not in short.fixed
    assert "critic.warm_up" not in short.fixed
    assert StudySpec.model_validate(short.model_dump()) == short
