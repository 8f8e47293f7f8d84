"""Details of adabn that are easily lost."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from uda_study.method import Batch
from uda_study.methods.adabn import AdaBN, AdaBNHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ"), (16, 16), (1.0, 1.0))


def new_method(**segmenter) -> AdaBN:
    torch.manual_seed(0)
    values = {"name": "dilated_fcn", "width": 2, "norm": "batch", **segmenter}
    method = AdaBN(AdaBNHyper.model_validate({"segmenter": values}), TASK)
    method.segmenter.train()
    method.segmenter(torch.randn(4, 1, 16, 16))
    method.stages()[1].begin()
    return method


def target(number: int) -> torch.Tensor:
    return 5 + 2 * torch.randn(3, 1, 16, 16, generator=torch.Generator().manual_seed(number))


def look(method: AdaBN, batches: int) -> None:
    stepper = Stepper(method, "estimate")
    for number in range(batches):
        nothing = torch.full((3, 1, 16, 16), torch.nan)
        assert stepper.step(lambda n=number, s=nothing: Batch(s, torch.empty(0), target(n))) == {}


@pytest.mark.parametrize("norm", ["instance", "none"])
def test_another_normalisation_is_refused_with_a_reason(norm):
    with pytest.raises(ValidationError) as caught:
        AdaBNHyper.model_validate({"segmenter": {"norm": norm}})
    (error,) = caught.value.errors()
    assert error["loc"] == ("segmenter",)
    assert "norm must be batch" in error["msg"]
    assert error["msg"].endswith(f"got {norm}")


def test_batch_normalisation_is_the_default():
    assert AdaBNHyper().segmenter.norm == "batch"


def test_only_running_statistics_differ_from_the_source_model():
    method = new_method()
    look(method, 2)
    source, adapted = method.segmenter.state_dict(), method.adapted.state_dict()
    differ = {name for name in source if not torch.equal(source[name], adapted[name])}
    assert differ == {
        name for name in source if name.endswith(("running_mean", "running_var", "batches_tracked"))
    }


def test_statistics_are_the_mean_over_all_batches_and_forget_the_source():
    method = new_method()
    look(method, 3)
    first = method.adapted.groups[0]
    convolution, norm = first[0][0], first[0][1]
    features = [convolution(target(number)).detach() for number in range(3)]
    mean = torch.stack([f.mean((0, 2, 3)) for f in features]).mean(0)
    variance = torch.stack([f.var((0, 2, 3), correction=1) for f in features]).mean(0)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, variance)


def test_a_shift_and_scale_of_the_target_is_undone():
    method = new_method(dropout=0.5)
    look(method, 4)
    method.eval()
    first = method.adapted.groups[0][0]
    normalised = first[2](first[1](first[0](target(9))))
    assert float(normalised.detach().mean().abs()) < 0.3
    assert float(normalised.detach().std()) == pytest.approx(1, abs=0.3)


def test_dropout_is_off_while_looking():
    states = []
    for dropout in (0.0, 0.5):
        method = new_method(dropout=dropout)
        method.segmenter.eval()
        look(method, 1)
        states.append([v for n, v in method.adapted.named_buffers() if "running" in n])
    assert all(torch.allclose(a, b) for a, b in zip(*states, strict=True))


def test_begin_starts_over():
    once, twice = new_method(), new_method()
    look(once, 2)
    look(twice, 1)
    twice.stages()[1].begin()
    look(twice, 2)
    for name, value in once.adapted.state_dict().items():
        assert torch.equal(value, twice.adapted.state_dict()[name])


def test_every_rank_sees_the_whole_batch_and_nothing_is_trained():
    method = new_method()
    assert method.stages()[1].whole_batch
    assert method.players() == {}
