"""Details of dacgan that are easily lost."""

from __future__ import annotations

import torch

from uda_study.method import Batch, Restores, Translates
from uda_study.methods.dacgan import Dacgan, DacganHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ"), (16, 16), (1.0, 1.0))


def new_dacgan(**changes) -> Dacgan:
    values = {
        "segmenter": {"name": "dilated_fcn", "width": 2},
        "generator": {"width": 2, "blocks": 1},
        "discriminator": {"width": 2, "layers": 1},
        **changes,
    }
    torch.manual_seed(0)
    return Dacgan(DacganHyper.model_validate(values), TASK)


def images(seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(seed))


def test_the_segmenter_of_translated_images_reads_no_target():
    stages = new_dacgan().stages()
    assert [(stage.name, stage.target) for stage in stages] == [
        ("source_segmenter", "none"),
        ("translate", "images"),
        ("target_segmenter", "none"),
    ]


def test_target_images_are_segmented_as_they_are():
    dacgan = new_dacgan().eval()
    image = images()
    assert torch.equal(dacgan.segment(image), dacgan.target_segmenter(image))
    assert torch.equal(dacgan.segment_source(image), dacgan.segmenter(image))


def test_images_are_translated_from_source_to_target_only():
    dacgan = new_dacgan()
    assert isinstance(dacgan, Restores)
    assert not isinstance(dacgan, Translates)
    assert torch.equal(dacgan.restore(images()), dacgan.cycle.to_target(images()))
    assert dacgan.needs.translation == "source->target"


def test_training_the_segmenter_changes_no_generator_and_not_the_source_segmenter():
    dacgan = new_dacgan()
    before = {name: value.clone() for name, value in dacgan.state_dict().items()}
    stage = dacgan.stages()[-1]
    batch = Batch(images(), torch.zeros(2, 16, 16, dtype=torch.int64), images() + torch.nan)
    Stepper(stage.trainable, stage.name).step(lambda: batch)
    changed = {n.split(".")[0] for n, v in dacgan.state_dict().items() if not v.equal(before[n])}
    assert changed == {"target_segmenter"}


def test_the_defaults_are_the_public_cyclegans():
    hyper = DacganHyper()
    assert (hyper.generator.width, hyper.generator.blocks) == (64, 9)
    assert (hyper.discriminator.design, hyper.discriminator.layers) == ("patchgan", 3)
    assert (hyper.cycle.gan, hyper.cycle.weight, hyper.cycle.identity) == ("least_squares", 10, 0.5)
    assert hyper.segmenter.name == "unet"
