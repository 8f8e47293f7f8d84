"""Details of histogram_matching that are easily lost."""

from __future__ import annotations

import pytest
import torch

from uda_study.method import Batch, Translates
from uda_study.methods.histogram_matching import HistogramMatching, HistogramMatchingHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 2, ("background", "organ"), (16, 16), (1.0, 1.0))


def new_method(images: int = 5, batch_size: int = 2) -> HistogramMatching:
    torch.manual_seed(0)
    hyper = HistogramMatchingHyper.model_validate(
        {
            "segmenter": {"name": "dilated_fcn", "width": 2},
            "images": images,
            "batch_size": batch_size,
        }
    )
    method = HistogramMatching(hyper, TASK)
    method.stages()[1].begin()
    return method


def batch(number: int) -> Batch:
    generator = torch.Generator().manual_seed(number)
    source, target = torch.randn(2, 2, 2, 16, 16, generator=generator)
    return Batch(source, torch.empty(0), 3 * target.abs() - 1)


def fill(method: HistogramMatching) -> None:
    stage = method.stages()[1]
    stepper, drawn = Stepper(method, stage.name), iter(range(100))
    for _ in range(stage.steps):
        assert stepper.step(lambda: batch(next(drawn))) == {}


@pytest.mark.parametrize(("images", "steps"), [(1, 1), (4, 2), (5, 3)])
def test_steps_are_as_many_as_fill_the_bank(images, steps):
    method = new_method(images)
    stage = method.stages()[1]
    assert (stage.steps, stage.whole_batch, stage.target) == (steps, True, "images")
    fill(method)
    assert int(method.bank.filled) == images


def test_segment_is_the_frozen_source_segmenter_on_the_translated_image():
    method = new_method()
    before = [p.clone() for p in method.segmenter.parameters()]
    fill(method)
    method.eval()
    image = batch(50).target_image
    translated = method.translate(image)
    assert not torch.allclose(translated, image, atol=0.5)
    assert torch.equal(method.segment(image), method.segment_source(translated))
    pairs = zip(before, method.segmenter.parameters(), strict=True)
    assert all(torch.equal(old, new) for old, new in pairs)


def test_translated_images_have_the_bright_intensities_of_source_images():
    method = new_method()
    fill(method)
    image = batch(50).target_image
    source = torch.cat([batch(n).source_image for n in range(3)])
    wanted = float(source.quantile(0.9))
    assert float(image.quantile(0.9)) > wanted + 2
    assert float(method.translate(image).quantile(0.9)) == pytest.approx(wanted, abs=0.3)


def test_the_translation_is_part_of_the_method():
    method = new_method()
    assert isinstance(method, Translates)
    assert method.needs.translation == "target->source"
    assert method.players() == {}


def test_the_bank_travels_with_the_weights():
    method, other = new_method(), new_method()
    fill(method)
    other.load_state_dict(method.state_dict())
    image = batch(50).target_image
    assert torch.equal(method.eval().segment(image), other.eval().segment(image))


def test_begin_empties_the_bank():
    method = new_method()
    fill(method)
    method.stages()[1].begin()
    assert int(method.bank.filled) == 0
    assert float(method.bank.histograms.sum()) == 0.0
