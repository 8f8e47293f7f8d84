"""Details of semgan that are easily lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from uda_study.errors import InputError
from uda_study.method import Batch
from uda_study.methods.semgan import Semgan, kept_classes
from uda_study.study.hyper import resolve_hyper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ", "vessel", "bone"), (16, 16), (1.0, 1.0))
SMALL = {
    "segmenter.name": "dilated_fcn", "segmenter.width": 2, "joint.name": "dilated_fcn",
    "joint.width": 2, "generator.width": 2, "generator.stages": 2, "discriminator.width": 2,
}  # fmt: skip
CLASSES = TASK.num_classes


def labels(*present: tuple[int, ...]) -> torch.Tensor:
    """One label ``(16, 16)`` per tuple, in which exactly these classes occur."""
    return torch.stack([torch.tensor(p).repeat(256)[:256].view(16, 16) for p in present])


def draws(source: torch.Tensor, target: torch.Tensor, probability: float, count: int = 200) -> list:
    torch.manual_seed(0)
    kept = [kept_classes(source, target, CLASSES, probability) for _ in range(count)]
    return [[tuple(k.nonzero().flatten().tolist()) for k in pair] for pair in kept]


def test_what_is_kept_is_shared_by_the_pair_and_never_nothing():
    source, target = labels((0, 1, 2), (0, 3)), labels((0, 2, 3), (0, 3))
    seen = draws(source, target, 1.0)
    assert {first for first, _ in seen} == {(0,), (2,), (0, 2)}
    assert {second for _, second in seen} == {(0,), (3,), (0, 3)}


def test_as_many_draws_with_replacement_as_classes_are_shared():
    both = labels((0, 1, 2))
    seen = [len(kept) for (kept,) in draws(both, both, 1.0, count=2000)]
    # Of the 27 sequences of three draws from three classes, 3, 18 and 6 hold 1, 2 and 3 of them.
    for number, share in ((1, 3 / 27), (2, 18 / 27), (3, 6 / 27)):
        assert seen.count(number) / 2000 == pytest.approx(share, abs=0.04)


def test_the_probability_says_how_often_classes_are_dropped():
    source, target = labels((0, 1)), labels((0, 2))
    kept_all = (0, 1, 2, 3)
    seen = [kept for (kept,) in draws(source, target, 0.3, count=2000)]
    assert set(seen) == {kept_all, (0,)}
    assert seen.count((0,)) / 2000 == pytest.approx(0.3, abs=0.04)
    assert {kept for (kept,) in draws(source, target, 0.0)} == {kept_all}


def test_a_pair_that_shares_no_class_is_left_alone():
    assert {kept for (kept,) in draws(labels((0,)), labels((1, 2)), 1.0)} == {(0, 1, 2, 3)}


def test_both_images_of_a_pair_lose_the_same_classes_in_inputs_and_losses():
    torch.manual_seed(0)
    method = Semgan(resolve_hyper(Semgan, {**SMALL, "semantic_dropout": 1.0}), TASK)
    label = labels((0, 1, 2), (0, 1, 2))
    batch = Batch(torch.ones(2, 1, 16, 16), label, torch.ones(2, 1, 16, 16), label.flip(1))
    used = []

    def updates(source, target):
        used.extend([source, target])
        return iter(())

    method.cycle.updates = updates
    list(method.updates(lambda: batch))
    source, target = used
    assert not bool(source.kept.all())
    for given in (source, target):
        assert torch.equal(given.image, given.kept)
    assert torch.equal(source.kept, target.kept.flip(2))
    for sample in range(2):
        for c in range(3):
            assert source.kept[sample, 0][label[sample] == c].unique().numel() == 1


def test_a_single_structure_is_refused_before_anything_trains():
    alone = replace(TASK, class_names=("background", "lesion"))
    with pytest.raises(InputError, match="needs two structures or more") as caught:
        Semgan(resolve_hyper(Semgan, SMALL), alone)
    assert "s_cyclegan" in str(caught.value)
    Semgan(resolve_hyper(Semgan, {**SMALL, "semantic_dropout": 0.0}), alone)
