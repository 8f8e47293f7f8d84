from collections import Counter
from dataclasses import replace

import pytest
import torch

from uda_study.engine import setup
from uda_study.engine.job import Home, load_data, open_dataset
from uda_study.engine.setup import build_queue, own_steps, prepare_study
from uda_study.engine.timing import measure
from uda_study.errors import InputError
from uda_study.study.trial import TrialResult, TrialSpec
from uda_study.study.validate import load_study
from uda_study.testing.fakes import LABELS
from uda_study.types import Direction


def test_a_study_knows_its_cells_baselines_and_confirmations(study):
    assert [cell.key for cell in study.cells] == [
        "depth=g2 direction=mr->ct", "depth=g4 direction=mr->ct",
    ]  # fmt: skip
    assert [(t.method, t.seed) for t in study.baselines] == [
        ("no_adaptation", 0), ("no_adaptation", 1),
        ("target_supervised", 0), ("target_supervised", 1),
    ]  # fmt: skip
    assert study.confirmations_per_cell == 2
    assert study.left_out == ()
    assert study.tags["selection"] == "blind/rank_avg"
    assert study.preprocessing.labels == LABELS


def test_a_queue_of_the_study_starts_with_the_unlabelled_baseline(study):
    queue = build_queue(study)
    handed = []
    while (spec := queue.next()) is not None:
        queue.reported(spec.key, 0, {})
        handed.append(spec)
    assert [spec.method for spec in handed] == (
        ["no_adaptation"] * 2 + ["dam"] * 8 + ["target_supervised"] * 2
    )
    assert handed[2].params["optim.lr"] == 3e-4  # the published setting
    assert handed[2].params["steps"] == 6


def test_own_steps_are_counted_without_building_networks(study):
    (data,) = study.data.values()
    steps = {trial.cell: own_steps(trial, data.task) for trial in study.first_trials}
    assert list(steps.values()) == [8, 8, 0, 0]


@pytest.fixture
def no_labelled_target(monkeypatch):
    def without_bound(*arguments):
        preprocessing, data = load_data(*arguments)
        return preprocessing, {
            key: replace(d, split=replace(d.split, roles={**d.split.roles, "target_bound": ()}))
            for key, d in data.items()
        }

    monkeypatch.setattr(setup, "load_data", without_bound)


def test_an_upper_bound_without_labelled_cases_is_left_out_with_its_reason(
    study_file, tmp_path, no_labelled_target
):
    found = prepare_study(load_study(study_file), Home(tmp_path))
    assert {trial.method for trial in found.baselines} == {"no_adaptation"}
    assert found.left_out == (
        "target_supervised direction=mr->ct: no labelled ct case is outside the test set",
    )


def test_searched_methods_that_read_target_labels_are_left_out_too(
    study_file, tmp_path, no_labelled_target
):
    both = [
        "metric=blind/entropy",
        "method=null",
        "matrix.method=[dam, target_supervised]",
        "baselines=[]",
    ]
    found = prepare_study(load_study(study_file, both), Home(tmp_path))
    assert {cell.method for cell in found.cells} == {"dam"}
    (reason,) = found.left_out
    assert "target_supervised" in reason
    alone = [
        "metric=blind/entropy",
        "method=target_supervised",
        "matrix={direction: ['mr->ct']}",
        "parameters={}",
        "baselines=[]",
    ]
    with pytest.raises(InputError, match="no labelled ct case is outside the test set"):
        prepare_study(load_study(study_file, alone), Home(tmp_path))


def test_a_cell_in_which_nothing_is_searched_is_confirmed_at_once(study_file, tmp_path):
    constant = load_study(study_file, ["parameters.optim.lr=1e-3", "parameters.align.clip=0.02",
                                       "parameters.align.type=wasserstein"])  # fmt: skip
    study = prepare_study(constant, Home(tmp_path))
    queue = build_queue(study)
    handed: list[TrialSpec] = []
    while not queue.done:
        spec = queue.next()
        assert spec is not None
        handed.append(spec)
        queue.finished(TrialResult(spec.key, "complete", 8, {"blind/score": 0.5}))
    kinds = Counter((spec.method, spec.kind) for spec in handed)
    assert kinds["dam", "confirm"] == len(study.cells) * study.confirmations_per_cell
    assert ("dam", "search") not in kinds


def test_an_unknown_domain_is_refused_with_its_line(study_file, tmp_path):
    sourced = load_study(study_file, ["matrix.direction=[mr->pet]"])
    with pytest.raises(InputError, match="unknown domain 'pet'"):
        prepare_study(sourced, Home(tmp_path))


def test_the_patch_is_padded_to_what_networks_can_halve(study, tmp_path):
    spec = study.spec.data.model_copy(update={"patch_size": None, "size": (20, 12, 3)})
    home = Home(tmp_path)
    _, data = load_data(
        spec, dataset := open_dataset(spec, home), dataset.cases(), [Direction("mr", "ct")], home
    )
    assert data["mr->ct", 0].task.patch_size == (32, 16)


def test_a_patch_of_other_dimensions_is_refused(study, tmp_path):
    spec = study.spec.data.model_copy(update={"patch_size": (16, 16, 16)})
    home = Home(tmp_path)
    with pytest.raises(InputError, match="must have 2 numbers"):
        load_data(
            spec,
            dataset := open_dataset(spec, home),
            dataset.cases(),
            [Direction("mr", "ct")],
            home,
        )


def test_every_fold_of_every_direction_has_its_data(study, tmp_path):
    spec = study.spec.data.model_copy(update={"folds": 3})
    home = Home(tmp_path)
    directions = [Direction("mr", "ct"), Direction("ct", "mr")]
    _, data = load_data(
        spec, dataset := open_dataset(spec, home), dataset.cases(), directions, home
    )
    assert set(data) == {(d, fold) for d in ("mr->ct", "ct->mr") for fold in range(3)}
    tested = [set(data["mr->ct", fold].split.roles["target_test"]) for fold in range(3)]
    assert len(set.union(*tested)) == sum(map(len, tested)) == 5


def test_a_home_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="must be a folder that can be written to"):
            Home(place).create()
    Home(tmp_path / "new" / "home").create()
    assert list((tmp_path / "new" / "home").iterdir()) == []


def test_the_time_of_a_step_is_known_for_methods_and_their_segmenter(study):
    (data,) = study.data.values()
    threads = torch.get_num_threads()
    costs = measure(study.first_trials, data.task)
    assert set(costs) == {"dam", "segmenter"}
    assert all(seconds > 0 for seconds in costs.values())
    assert torch.get_num_threads() == threads
