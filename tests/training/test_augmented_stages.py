from dataclasses import replace

import pytest
import torch

from uda_study.data.augmentation import Augmentation
from uda_study.training.checkpoint import CheckpointStore


class DyingStore(CheckpointStore):
    """Saves once and ends the process."""

    def save(self, number, state):
        super().save(number, state)
        raise KeyboardInterrupt


@pytest.fixture
def augmented(data):
    return replace(data, augmentation=Augmentation(preset="nnunet"))


def source_images(data, stage):
    return data.sampler(stage, 0).draw(stage.name, 0, 8).source_image


def test_the_stages_that_ask_for_it_draw_augmented_sources(data, augmented, make_method):
    segmenter, *own = make_method("dam").stages()
    assert not torch.equal(source_images(data, segmenter), source_images(augmented, segmenter))
    for stage in own:
        assert torch.equal(source_images(data, stage), source_images(augmented, stage))
        assert data.facts(stage) == augmented.facts(stage)


def test_a_preset_of_the_segmenter_wins_over_the_study_s(data, augmented, make_method):
    (plain,) = make_method("no_adaptation", segmenter__augmentation="none").stages()
    (same,) = make_method("no_adaptation", segmenter__augmentation="nnunet").stages()
    (asked,) = make_method("no_adaptation").stages()
    assert torch.equal(source_images(augmented, plain), source_images(data, asked))
    assert torch.equal(source_images(data, same), source_images(augmented, asked))


def test_shared_segmenters_are_told_apart_by_what_they_were_augmented_with(
    data, augmented, make_method, make_trainer
):
    method = make_method("no_adaptation")
    (stage,) = method.stages()
    plain, changed = (make_trainer(method, data=d).shared_facts(stage) for d in (data, augmented))
    assert plain != changed
    (by_name,) = make_method("no_adaptation", segmenter__augmentation="nnunet").stages()
    assert make_trainer(method).shared_facts(by_name) == changed


def test_what_the_upper_bound_is_trained_on_is_never_augmented(augmented, make_method):
    (stage,) = make_method("target_supervised", segmenter__augmentation="nnunet").stages()
    assert stage.augmentation == "none"
    assert augmented.facts(stage)["augmentation"] == []


def test_an_augmented_training_that_was_killed_goes_on_bit_identically(
    augmented, make_method, make_trainer
):
    whole, resumed = make_method(), make_method()
    make_trainer(whole, data=augmented, place="whole", cache="whole").train()
    cut = make_trainer(make_method(), data=augmented, place="cut", cache="cut")
    cut.place = replace(cut.place, checkpoints=DyingStore(cut.place.checkpoints.folder))
    with pytest.raises(KeyboardInterrupt):
        cut.train()
    torch.manual_seed(123)  # another process has other random numbers
    make_trainer(resumed, data=augmented, place="cut", cache="cut").train()
    found = resumed.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in whole.state_dict().items())
