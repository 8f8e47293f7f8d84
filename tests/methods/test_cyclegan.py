import pytest
import torch

from uda_study.errors import InputError
from uda_study.method import Batch, Criticises, Restores, Translates
from uda_study.methods.cyclegan import Cyclegan, CycleganHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 1, ("background", "organ"), (32, 32), (1.0, 1.0))
SMALL = {
    "segmenter": {"name": "dilated_fcn", "width": 2},
    "generator": {"width": 2, "blocks": 1},
    "discriminator": {"width": 2},
    "steps": 4,
}


def new_cyclegan(**changes) -> Cyclegan:
    torch.manual_seed(0)
    merged = {
        name: {**SMALL.get(name, {}), **value} if isinstance(value, dict) else value
        for name, value in {**SMALL, **changes}.items()
    }
    return Cyclegan(CycleganHyper.model_validate(merged), TASK)


def draw() -> Batch:
    source, target = torch.randn(2, 2, 1, 32, 32)
    return Batch(source, torch.empty(0), target + 1)


def players(method: Cyclegan) -> list[str]:
    return [update.player for update in method.updates(draw)]


def test_the_discriminators_step_first():
    assert players(new_cyclegan()) == ["discriminators", "generators"]


def test_adam_has_the_published_constants():
    for player in new_cyclegan().players().values():
        group = player.optimiser.param_groups[0]
        assert (group["lr"], group["betas"], group["weight_decay"]) == (2e-4, (0.5, 0.999), 0)


def test_the_rate_is_constant_then_falls_linearly_to_zero():
    stepper, rates = Stepper(new_cyclegan(), "translate"), []
    for _ in range(5):
        rates.append(stepper.players["generators"].optimiser.param_groups[0]["lr"])
        if len(rates) < 5:
            stepper.step(draw)
    assert rates == pytest.approx([2e-4, 2e-4, 2e-4, 1e-4, 0])


def test_the_discriminators_rate_can_be_lower():
    players = new_cyclegan(optim={"discriminator_lr": 0.25}).players()
    rates = {name: p.optimiser.param_groups[0]["lr"] for name, p in players.items()}
    assert rates == {"discriminators": 0.5e-4, "generators": 2e-4}


def test_no_identity_weight_means_no_identity_pass():
    method, passes = new_cyclegan(cycle={"identity": 0.0}), []
    method.cycle.generators["to_source"].register_forward_pre_hook(
        lambda _, given: passes.append(len(given[0]))
    )
    losses = list(method.updates(draw))[-1].losses
    assert "identity" not in losses
    assert passes == [2, 2]


def test_a_pass_of_fakes_and_identity_is_one():
    method, passes = new_cyclegan(), []
    method.cycle.generators["to_source"].register_forward_pre_hook(
        lambda _, given: passes.append(len(given[0]))
    )
    assert "identity" in list(method.updates(draw))[-1].losses
    assert passes == [4, 2]


def test_weights_scale_their_losses():
    def losses(**cycle):
        method = new_cyclegan(cycle={"pool_size": 0, **cycle})
        torch.manual_seed(1)
        return {n: float(v.detach()) for n, v in list(method.updates(draw))[-1].losses.items()}

    usual = losses()
    heavier = losses(weight=30.0, identity=0.25, target_weight=0.5)
    assert heavier["cycle"] == pytest.approx(3 * usual["cycle"])
    assert heavier["identity"] == pytest.approx(1.5 * usual["identity"])
    assert heavier["of_target"] == pytest.approx(0.5 * usual["of_target"])
    assert heavier["of_source"] == pytest.approx(usual["of_source"])


def test_the_segmenter_stays_as_the_source_left_it():
    method = new_cyclegan()
    before = {name: value.clone() for name, value in method.segmenter.state_dict().items()}
    Stepper(method, "translate").step(draw)
    after = method.segmenter.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_target_images_are_translated_before_they_are_segmented():
    method = new_cyclegan().eval()
    image = torch.randn(2, 1, 32, 32)
    assert torch.equal(method.segment(image), method.segment_source(method.translate(image)))
    assert not torch.equal(method.translate(image), method.restore(image))


def test_what_it_offers_beyond_segmenting():
    assert isinstance(new_cyclegan(), Translates)
    assert isinstance(new_cyclegan(), Restores)
    assert isinstance(new_cyclegan(), Criticises)


def test_the_history_survives_a_resume():
    method = new_cyclegan(cycle={"pool_size": 3})
    Stepper(method, "translate").step(draw)
    other = new_cyclegan(cycle={"pool_size": 3})
    other.load_state_dict(method.state_dict())
    assert int(other.cycle.pools["of_source"].stored) == 2
    assert torch.equal(
        other.cycle.pools["of_source"].images, method.cycle.pools["of_source"].images
    )


def test_too_many_layers_for_the_patch_are_refused():
    with pytest.raises(InputError, match="5 strided layers leave nothing of a patch"):
        new_cyclegan(discriminator={"layers": 5})
