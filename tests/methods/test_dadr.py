"""Details of dadr that are easily lost."""

from __future__ import annotations

import pytest
import torch

from uda_study.method import Batch
from uda_study.methods.dadr import Dadr, DadrHyper
from uda_study.training.step import Stepper, begin_stage
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ"), (16, 16), (1.0, 1.0))


def new_dadr(**changes) -> Dadr:
    values = {
        "segmenter": {"name": "dilated_fcn", "width": 2, "batch_size": 2},
        "autoencoder": {"width": 2, "blocks": 1, "style_size": 3, **changes.pop("autoencoder", {})},
        "critic": {"width": 2, "stages": 1, "scales": 1},
        **changes,
    }
    torch.manual_seed(0)
    return Dadr(DadrHyper.model_validate(values), TASK)


def images(seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(seed))


def look_at_styles(dadr: Dadr, steps: int = 3) -> list[torch.Tensor]:
    (stage,) = (stage for stage in dadr.stages() if stage.name == "styles")
    begin_stage(stage, 0)
    stepper = Stepper(stage.trainable, stage.name)
    seen = [images(seed) for seed in range(steps)]
    for image in seen:
        stepper.step(lambda image=image: Batch(image + torch.nan, torch.empty(0), image))
    return seen


def test_stages_read_target_images_to_disentangle_and_nothing_to_segment():
    stages = new_dadr().stages()
    assert [(stage.name, stage.target) for stage in stages] == [
        ("source_segmenter", "none"),
        ("disentangle", "images"),
        ("styles", "images"),
        ("content_segmenter", "none"),
    ]
    assert [stage.shared is not None for stage in stages] == [True, False, False, False]


def test_styles_of_the_prior_need_no_look_at_the_target():
    assert "styles" not in [stage.name for stage in new_dadr(style_source="prior").stages()]


def test_target_images_are_segmented_by_their_content_alone():
    dadr = new_dadr().eval()
    image = images()
    content_only = dadr.disentangling.content_only(image, "target")
    assert torch.equal(dadr.segment(image), dadr.content_segmenter(content_only))
    assert torch.equal(dadr.translate(image), content_only)
    assert torch.equal(dadr.segment_source(image), dadr.segmenter(image))


def test_the_segmenter_of_features_sees_four_times_the_width():
    dadr = new_dadr(content_decode="features").eval()
    assert dadr.segment(images()).shape == (2, 2, 16, 16)
    assert dadr.translate(images()).shape == (2, 1, 16, 16)
    first = next(p for p in dadr.content_segmenter.parameters())
    assert first.shape[1] == 8


def test_training_the_segmenter_leaves_statistics_of_the_encoders_alone():
    dadr = new_dadr(autoencoder={"norm": "batch"}).train()
    before = {name: value.clone() for name, value in dadr.disentangling.state_dict().items()}
    stage = dadr.stages()[-1]
    batch = Batch(images(), torch.zeros(2, 16, 16, dtype=torch.int64), images() + torch.nan)
    Stepper(stage.trainable, stage.name).step(lambda: batch)
    assert all(before[n].equal(v) for n, v in dadr.disentangling.state_dict().items())


def test_styles_are_sampled_where_the_targets_styles_lie():
    dadr = new_dadr()
    seen = torch.cat([dadr.encode_style(image) for image in look_at_styles(dadr)]).detach()
    drawn = dadr.sample_styles(20_000, torch.Generator().manual_seed(0))
    spread = seen.std(0, correction=0)
    assert drawn.shape == (20_000, 3)
    assert (drawn.mean(0) - seen.mean(0)).abs().max() < 0.05 * spread.max()
    torch.testing.assert_close(drawn.std(0), spread, rtol=0.03, atol=1e-4)


def test_without_a_look_styles_are_standard_normal():
    drawn = new_dadr(style_source="prior").sample_styles(5, torch.Generator().manual_seed(3))
    assert torch.equal(drawn, torch.randn(5, 3, generator=torch.Generator().manual_seed(3)))


def test_where_the_styles_lie_is_part_of_the_model():
    trained, loaded = new_dadr(), new_dadr()
    look_at_styles(trained)
    loaded.load_state_dict(trained.state_dict())
    draws = [m.sample_styles(4, torch.Generator().manual_seed(0)) for m in (trained, loaded)]
    assert torch.equal(*draws)


def test_a_second_look_begins_anew():
    dadr = new_dadr()
    look_at_styles(dadr)
    first = dadr.sample_styles(4, torch.Generator().manual_seed(0))
    look_at_styles(dadr)
    assert torch.equal(first, dadr.sample_styles(4, torch.Generator().manual_seed(0)))


def test_rendering_paints_the_sources_anatomy_in_a_target_style():
    dadr = new_dadr().eval()
    image, style = images(), torch.randn(2, 3)
    content = dadr.disentangling.source.content(image)
    rendered = dadr.render(image, style)
    assert torch.equal(rendered, dadr.disentangling.target.decoder(content, style))
    assert rendered.shape == image.shape
    assert not torch.allclose(rendered, dadr.render(image, style + 1), atol=1e-3)


def test_reference_styles_come_from_target_images():
    dadr = new_dadr()
    assert torch.equal(dadr.encode_style(images()), dadr.disentangling.target.style(images()))


@pytest.mark.parametrize("name", ["width", "dropout"])
def test_the_segmenter_is_a_unet_with_its_published_size(name):
    segmenter = DadrHyper().segmenter
    assert segmenter.name == "unet"
    assert getattr(segmenter, name) == getattr(segmenter.network, f"default_{name}")
