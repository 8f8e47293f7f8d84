from dataclasses import replace

import numpy as np
import pytest
import torch

from uda_study.method import Hyper, Method, Needs
from uda_study.training.evaluate import Evaluator
from uda_study.training.translation import Translator

CPU = torch.device("cpu")
ROLE = "target_test"


class Doubling(Method[Hyper]):
    """Makes images twice as bright and counts the calls; segments nothing."""

    Hyper = Hyper
    needs = Needs(target="images", translation="target->source")
    paper = "none"

    def __init__(self, task) -> None:
        super().__init__(Hyper(), task)
        self.translated = 0

    def stages(self):
        return []

    def segment(self, image):
        return torch.zeros(len(image), self.task.num_classes, *image.shape[2:])

    def translate(self, image):
        self.translated += len(image)
        return 2 * image


class ThereAndBack(Doubling):
    def restore(self, image):
        return image / 2 + 1


@pytest.fixture
def slices(data) -> int:
    """How many slices the test cases have together: each is a patch of its own."""
    return sum(case.image.shape[3] for case in data.cases(ROLE))


def test_each_case_is_translated_once_for_metrics_and_pictures(data, slices):
    method = Doubling(data.task)
    outcomes = list(Evaluator(method, data, CPU).outcomes(ROLE))
    assert method.translated == slices
    for outcome in outcomes:
        np.testing.assert_array_equal(outcome.translated, 2 * outcome.prepared.image)


def test_translated_volumes_leave_nothing_on_disk(data, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    outcomes = Evaluator(Doubling(data.task), data, CPU).outcomes(ROLE)
    next(outcomes)
    assert len(list(tmp_path.rglob("*.npy"))) == len(data.cases(ROLE))
    outcomes.close()
    assert list(tmp_path.iterdir()) == []


def test_a_method_that_translates_nothing_has_no_pictures_of_it(data, make_method):
    for outcome in Evaluator(make_method("no_adaptation"), data, CPU).outcomes(ROLE):
        assert outcome.translated is None
        assert outcome.passes is None


def test_passes_are_the_cycle_and_the_source_through_the_translation(data):
    (first, *_) = Evaluator(ThereAndBack(data.task), data, CPU).outcomes(ROLE)
    passes = first.passes(0)
    np.testing.assert_allclose(passes.cycled, first.prepared.image + 1)
    assert passes.source.case.id == data.split.roles["source_val"][0]
    np.testing.assert_array_equal(passes.identity, 2 * passes.source.image)
    assert passes.source_truth.any()


def test_sources_take_turns(data):
    translator = Translator(ThereAndBack(data.task), data, CPU)
    (case, *_) = data.cases(ROLE)
    names = data.split.roles["source_val"]
    found = [translator.passes(case, number).source.case.id for number in range(len(names) + 1)]
    assert found == [*names, names[0]]


def test_a_method_that_does_not_restore_has_no_cycle(data):
    (case, *_) = data.cases(ROLE)
    assert Translator(Doubling(data.task), data, CPU).passes(case, 0).cycled is None


def test_of_stacked_slices_the_middle_one_counts(data):
    class OnlyMiddle(ThereAndBack):
        """Doubles the middle slice and spoils its neighbours, in both directions."""

        def translate(self, image):
            return image * torch.tensor([-7.0, 2.0, -7.0]).reshape(1, 3, 1, 1)

    task = replace(data.task, in_channels=3)
    stacked = replace(data, task=task, adjacent_slices=3)
    for outcome in Evaluator(OnlyMiddle(task), stacked, CPU).outcomes(ROLE):
        np.testing.assert_array_equal(outcome.translated, 2 * outcome.prepared.image)
        passes = outcome.passes(0)
        np.testing.assert_allclose(passes.cycled, outcome.prepared.image + 1)
        np.testing.assert_array_equal(passes.identity, 2 * passes.source.image)
        assert {row.metric for row in outcome.rows} >= {"dice", "js"}
