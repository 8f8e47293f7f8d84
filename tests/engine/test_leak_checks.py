import inspect
import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from uda_study import plugins
from uda_study.engine.journal import Started
from uda_study.engine.leak_checks import check_leaks
from uda_study.engine.leak_checks.noise import few_cases, noisy, withheld
from uda_study.engine.leak_checks.once import check_once
from uda_study.engine.leak_checks.subjects import check_subjects
from uda_study.engine.leak_checks.tripwire import trip
from uda_study.errors import InputError
from uda_study.method import Needs, Player, Stage, Trainable, Update
from uda_study.methods.no_adaptation import NoAdaptation
from uda_study.study.cells import confirm_trials
from uda_study.study.trial import TrialSpec
from uda_study.testing.fakes import SEGMENTER
from uda_study.training.task_data import TaskData

HONEST = {"labels", "test images", "segmenting"}


class Adapting(Trainable):
    """One step on target images; `look` is where a method may do what it must not."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def players(self):
        return {"adapter": Player(torch.optim.SGD(self.parameters(), 0.1))}

    def updates(self, draw) -> Iterator[Update]:
        batch = draw()
        shift = batch.target_image.mean() + self.look(draw, batch)
        yield Update("adapter", {"shift": (self.weight * shift).sum()})

    def look(self, draw, batch) -> float:
        del draw, batch
        return 0.0


class Honest(NoAdaptation):
    needs = Needs(target="images")
    trainable = Adapting

    def __init__(self, hyper, task) -> None:
        super().__init__(hyper, task)
        self.adapting = self.trainable()

    def stages(self):
        return [*super().stages(), Stage("adapt", self.adapting, 3, 2, "images")]


def peeking(look, **members):
    """Return an honest method but for what it looks at, and what else is said of it."""
    trainable = type("Peeking", (Adapting,), {"look": look})
    return type("Doctored", (Honest,), {"trainable": trainable, **members})


@pytest.fixture
def put(study, monkeypatch):
    """Return what puts a method to the tripwire, with the checks by name and what is left out."""
    load = plugins.load

    def run(method, data=study.data, seconds=60.0):
        with monkeypatch.context() as patch:
            patch.setattr(
                plugins, "load", lambda k, n, c: method if n == "doctored" else load(k, n, c)
            )
            trial = TrialSpec(study.id, "search", "c", 0, "doctored", "mr->ct", 0, 0, SEGMENTER)
            checks, left_out = trip([trial], data, seconds)
        return {check.name: check for check in checks}, left_out

    return run


def failed(checks) -> set[str]:
    return {name for name, check in checks.items() if not check.passed}


def test_an_honest_method_passes_all_checks(put):
    checks, left_out = put(Honest)
    assert checks.keys() == HONEST
    assert (failed(checks), left_out) == (set(), ())
    assert "7 withheld labels (1 method," in checks["labels"].detail


def test_a_method_that_reaches_labels_through_its_batches_is_caught(put):
    def look(self, draw, batch):
        inside = inspect.getclosurevars(draw.sampler._target._image.__wrapped__)
        case = inside.nonlocals["cases"][0]
        return float(np.load(case.label_folder / "label.npy").mean())

    checks, _ = put(peeking(look))
    assert failed(checks) == {"labels"}
    assert "doctored on mr->ct depends on them" in checks["labels"].detail


@pytest.mark.parametrize("kind", ["prepared", "given"])
def test_a_method_that_opens_label_files_by_itself_is_caught(put, study, kind):
    (data,) = study.data.values()
    case = data.cases("target_adapt")[0]
    path = case.label_folder / "label.npy" if kind == "prepared" else case.case.labels[0]

    def look(self, draw, batch):
        with open(os.path.relpath(path), "rb") as file:
            return float(len(file.read(10)))

    checks, _ = put(peeking(look))
    assert failed(checks) == {"labels"}
    assert checks["labels"].detail == "doctored opens 1 withheld label files"


def test_a_method_that_asks_its_batches_for_labels_is_caught(put):
    def look(self, draw, batch):
        return float(batch.target_label.float().mean())

    checks, _ = put(peeking(look))
    assert failed(checks) == {"labels"}
    assert "may not read target labels" in checks["labels"].detail


def test_the_labels_that_a_supervised_method_declares_are_its_own(put):
    honest = type("Supervised", (Honest,), {"needs": Needs(target="labels")})
    honest.stages = lambda self: [Stage("adapt", self.adapting, 3, 2, "labels")]
    checks, _ = put(honest)
    assert failed(checks) == set()
    assert "5 withheld labels" in checks["labels"].detail  # the two of target_bound are not


def test_test_images_among_those_adapted_to_are_caught(put, monkeypatch):
    def everything(self, stage):
        return [] if stage.target == "none" else self.cases("target_test")

    monkeypatch.setattr(TaskData, "_target", everything)
    checks, _ = put(Honest)
    assert failed(checks) == {"test images"}


def test_blind_scores_that_look_at_the_test_are_caught(put, monkeypatch):
    cases = TaskData.cases

    def swapped(self, role):
        asked = inspect.currentframe().f_back.f_code.co_filename
        return cases(self, "target_test" if asked.endswith("blind.py") else role)

    monkeypatch.setattr(TaskData, "cases", swapped)
    checks, _ = put(Honest)
    assert "test images" in failed(checks)


def test_a_method_that_learns_while_it_segments_is_caught(put):
    class Learning(Honest):
        def __init__(self, hyper, task) -> None:
            super().__init__(hyper, task)
            self.norm = torch.nn.BatchNorm2d(task.in_channels)

        def segment(self, image):
            return super().segment(self.norm.train()(image))

    checks, _ = put(Learning)
    assert failed(checks) == {"segmenting"}


def test_a_method_that_remembers_outside_of_its_state_is_caught(put):
    class Remembering(Honest):
        seen = 0

        def segment(self, image):
            self.seen += 1
            return super().segment(image) + self.seen

    checks, _ = put(Remembering)
    assert failed(checks) == {"segmenting"}


def test_what_cannot_be_compared_is_named_and_not_called_passed(put):
    def chance(self, draw, batch):
        return float.fromhex(f"0x{os.urandom(4).hex()}p-30")

    def broken(self, draw, batch):
        raise ZeroDivisionError

    checks, left_out = put(peeking(chance))
    assert checks.keys() == {"segmenting"}
    assert left_out == ("doctored (two equal trainings give other weights)",)
    checks, left_out = put(peeking(broken))
    assert (checks, left_out) == ({}, ("doctored (ZeroDivisionError in its first steps)",))


def test_stages_without_time_are_named(put):
    def look(self, draw, batch):
        raise AssertionError

    _, left_out = put(peeking(look), seconds=-1)
    assert left_out == ("doctored from stage source_segmenter, adapt on, for lack of time",)


def test_a_training_on_noise_alone_that_fails_has_looked_at_it(put):
    def look(self, draw, batch):
        inside = inspect.getclosurevars(draw.sampler._target._image.__wrapped__)
        if "uda-study-" in str(inside.nonlocals["cases"][0].label_folder):
            raise ValueError
        return 0.0

    checks, _ = put(peeking(look))
    assert failed(checks) == {"labels"}


def test_checking_leaves_random_numbers_and_threads_as_they_were(put):
    torch.manual_seed(3)
    threads, expected = torch.get_num_threads(), torch.get_rng_state()
    put(Honest)
    assert torch.equal(torch.get_rng_state(), expected)
    assert torch.get_num_threads() == threads


def test_noise_replaces_what_is_withheld_and_nothing_else(study, tmp_path):
    (data,) = study.data.values()
    kept = withheld(data, reads_labels=False)
    noise = noisy(data, kept.labels, kept.images, tmp_path)
    roles = data.split.roles
    assert kept.images == {*roles["target_val"], *roles["target_test"], *roles["source_test"]}
    assert kept.labels == kept.images | set(roles["target_adapt"])
    for name, case in data.prepared.items():
        twin = noise.prepared[name]
        same = (twin.folder == case.folder, twin.label_folder == case.label_folder)
        assert same == (name not in kept.images, name not in kept.labels)
        assert twin.image.shape == case.image.shape
        assert np.array_equal(twin.mask, case.mask)


def test_a_transductive_split_withholds_labels_but_no_image_that_is_adapted_to(study):
    (data,) = study.data.values()
    roles = {**data.split.roles, "source_test": data.split.roles["source_val"]}
    roles |= dict.fromkeys(("target_val", "target_test"), roles["target_adapt"])
    kept = withheld(replace(data, split=replace(data.split, roles=roles)), reads_labels=False)
    assert (kept.images, kept.labels) == (frozenset(), frozenset(roles["target_adapt"]))


def test_large_data_are_represented_by_few_cases_and_small_patches(study):
    (data,) = study.data.values()
    roles = {role: names * 9 for role, names in data.split.roles.items()}
    large = replace(data.task, patch_size=(256, 48))
    few = few_cases(replace(data, split=replace(data.split, roles=roles), task=large), small=True)
    assert {len(names) for names in few.split.roles.values()} == {4}
    assert few.task.patch_size == (64, 48)


def doctored(data, protocol="strict", **roles):
    split = replace(data.split, protocol=protocol, roles={**data.split.roles, **roles})
    return {("mr->ct", 0): replace(data, split=split)}


@pytest.mark.parametrize(
    ("protocol", "role", "other", "passes"),
    [
        ("strict", "source_test", "source_train", False),
        ("strict", "target_test", "target_adapt", False),
        ("strict", "target_test", "source_val", False),
        ("strict", "target_bound", "target_test", False),
        ("strict", "target_val", "target_test", False),
        ("paper", "target_val", "target_test", True),
        ("paper", "target_test", "target_adapt", False),
        ("transductive", "target_test", "target_adapt", True),
        ("transductive", "target_bound", "target_adapt", False),
        ("transductive", "source_val", "target_adapt", False),
    ],
)
def test_a_subject_in_two_roles_is_found(study, protocol, role, other, passes):
    (data,) = study.data.values()
    mine, theirs = (data.split.roles[name] for name in (role, other))
    # Another case of the same person, under an id of its own.
    prepared = dict(data.prepared)
    guest, host = prepared[mine[0]], prepared[theirs[0]]
    twin = replace(host, case=replace(host.case, subject=guest.case.subject, id="twin"))
    changed = replace(data, prepared={**prepared, "twin": twin})
    bound = {} if role == "target_bound" else {"target_bound": ()}
    check = check_subjects(doctored(changed, protocol, **bound, **{other: (*theirs, "twin")}))
    # In this split target_bound is target_adapt, which a transductive one would not have.
    assert check.passed is passes
    if not passes:
        assert guest.case.subject in check.detail


def test_the_splits_of_a_study_are_disjoint(study):
    check = check_subjects(study.data)
    assert check.passed
    assert "source 2/1/2, target 2/1/2" in check.detail


def test_a_setting_that_would_be_tested_twice_is_found(study):
    cell = study.cells[0]
    chosen = TrialSpec(study.id, "search", cell.key, 3, "dam", "mr->ct", 0, 0, {"a": 1})
    once = confirm_trials(study.spec, study.id, cell, [chosen])
    again = confirm_trials(study.spec, study.id, cell, [replace(chosen, number=5)])
    assert check_once([*study.baselines, *once, *once, chosen]).passed
    found = check_once([*once, *again])
    assert not found.passed
    assert check_once([chosen]) is None
    assert f"{cell.key}, seed 0, fold 0" in found.detail


def test_a_study_with_a_leak_is_refused_before_anything_is_written(study):
    cell = study.cells[0]
    chosen = TrialSpec(study.id, "search", cell.key, 3, "dam", "mr->ct", 0, 0, {"a": 1})
    twice = [chosen, replace(chosen, number=5)]
    events = [Started(spec) for spec in confirm_trials(study.spec, study.id, cell, twice)]
    with pytest.raises(InputError, match="leak check: test set: would be evaluated twice"):
        check_leaks(study, events)


def test_a_study_without_a_leak_knows_its_checks(study):
    checked = check_leaks(study)
    assert [check.name for check in checked.checks] == [
        "subjects", "images", "test set", "labels", "test images", "segmenting",
    ]  # fmt: skip
    assert all(check.passed for check in checked.checks)
    assert checked.tags["checks"] == "6 passed"
    assert checked.warnings == study.warnings
