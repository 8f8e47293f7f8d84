"""Details of cyuda that are easily lost."""

from __future__ import annotations

import pytest
import torch

from uda_study.method import AdaptsSegmenter, Batch, Criticises, Restores, Translates
from uda_study.methods.cyuda import Cyuda, CyudaHyper
from uda_study.nets.patch_discriminator import receptive_field
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "lung"), (32, 32), (1.0, 1.0))


def new_cyuda(**changes) -> Cyuda:
    values = {
        "segmenter": {"name": "dilated_fcn", "width": 2},
        "generator": {"width": 2, "blocks": 1},
        "discriminator": {"width": 2, "layers": 2},
        "steps": 4,
        **changes,
    }
    torch.manual_seed(0)
    return Cyuda(CyudaHyper.model_validate(values), TASK)


def draw() -> Batch:
    source, target = torch.randn(2, 2, 1, 32, 32)
    return Batch(source, torch.empty(0), target + 1)


def test_the_settings_are_the_published_ones():
    hyper = CyudaHyper()
    assert (hyper.cycle.source_weight, hyper.cycle.target_weight, hyper.cycle.weight) == (
        0.5,
        1.0,
        10.0,
    )
    assert (hyper.cycle.gan, hyper.cycle.identity) == ("least_squares", 0.0)
    assert (hyper.cycle.pool_size, hyper.generator.blocks) == (50, 9)
    assert receptive_field(hyper.discriminator.layers, hyper.discriminator.design) == 70
    segmenter = hyper.segmenter
    assert (segmenter.name, segmenter.width, segmenter.dropout) == ("aspp_resnet101", 32, 0.0)
    assert (segmenter.optimiser, segmenter.dice_weight) == ("sgd", 0.0)


def test_the_generators_step_first():
    assert [u.player for u in new_cyuda().updates(draw)] == ["generators", "discriminators"]


def test_alpha_scales_the_way_to_the_source_alone():
    def losses(**weights) -> dict[str, float]:
        torch.manual_seed(1)
        update = next(new_cyuda(**weights).updates(draw))
        return {name: float(loss.detach()) for name, loss in update.losses.items()}

    kept = {"gan": "least_squares", "identity": 0.0}
    usual, doubled = losses(), losses(cycle={**kept, "source_weight": 1.0})
    assert set(usual) == {"of_source", "of_target", "cycle"}
    assert doubled["of_source"] == pytest.approx(2 * usual["of_source"])
    assert doubled["of_target"] == pytest.approx(usual["of_target"])


def test_the_rate_is_constant_then_falls_linearly_to_zero():
    stepper, rates = Stepper(new_cyuda(), "translate"), []
    for _ in range(4):
        rates.append(stepper.players["generators"].optimiser.param_groups[0]["lr"])
        stepper.step(draw)
    assert rates == pytest.approx([2e-4, 2e-4, 2e-4, 1e-4])


def test_the_segmenter_stays_as_the_source_left_it():
    method = new_cyuda()
    before = {name: value.clone() for name, value in method.segmenter.state_dict().items()}
    Stepper(method, "translate").step(draw)
    assert all(torch.equal(before[n], v) for n, v in method.segmenter.state_dict().items())


def test_target_images_are_translated_before_they_are_segmented():
    method = new_cyuda().eval()
    image = torch.randn(2, 1, 32, 32)
    assert torch.equal(method.segment(image), method.segment_source(method.translate(image)))
    assert not torch.equal(method.translate(image), method.restore(image))


def test_what_it_offers_beyond_segmenting():
    for protocol in (Translates, Restores, Criticises, AdaptsSegmenter):
        assert isinstance(new_cyuda(), protocol)
