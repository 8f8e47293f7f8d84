from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import StepLR

from uda_study.errors import Diverged, TrainingError
from uda_study.method import Batch, Player, Stage, Trainable, Update
from uda_study.training.step import Stepper, begin_stage, derive_seed

BATCH = Batch(torch.ones(1, 1), torch.ones(1), torch.ones(1, 1))


class Duel(Trainable):
    """Two players, one parameter each; the loss of both depends on both."""

    def __init__(self, optimiser: Callable = lambda p: SGD(p, lr=1.0)) -> None:
        super().__init__()
        self.first, self.second, self.idle = (nn.Parameter(torch.tensor([2.0])) for _ in range(3))
        self.factor = 1.0
        self.clip_norm: float | None = None
        self.owned = [self.first]
        self.make = optimiser
        self.seen: list[float] = []
        self.drawn: list[Tensor] = []

    def players(self):
        optimisers = [self.make(self.owned), self.make([self.second])]
        return {
            "first": Player(optimisers[0], StepLR(optimisers[0], 1, 0.5), self.clip_norm),
            "second": Player(optimisers[1]),
        }

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        draw()
        self.drawn.append(torch.rand(()))
        for _ in range(2):
            yield Update("first", {"a": self.factor * self.first.sum() * self.second.sum()})
            self.seen.append(self.first.item())
        yield Update("second", {"b": (self.first * self.second).sum(), "c": self.second.sum()})


def values(duel: Duel) -> list[float]:
    return [duel.first.item(), duel.second.item(), duel.idle.item()]


def test_an_update_changes_its_player_alone():
    duel = Duel()
    stepper = Stepper(duel, "adapt")
    stepper.step(lambda: BATCH)
    # first: 2 - 2 - 2 = -2, seen by the method after each of its steps; second: 2 - (-2 + 1).
    assert duel.seen == [0.0, -2.0]
    assert values(duel) == [-2.0, 3.0, 2.0]


def test_losses_are_averaged_over_the_updates_of_a_step():
    losses = Stepper(Duel(), "adapt").step(lambda: BATCH)
    assert {name: float(loss) for name, loss in losses.items()} == {
        "first/a": (4.0 + 0.0) / 2,
        "second/b": -4.0,
        "second/c": 2.0,
    }


def test_a_parameter_without_gradient_is_an_error():
    duel = Duel()
    duel.owned = [duel.first, duel.idle]
    with pytest.raises(TrainingError, match="1 of 2 parameters of player 'first' got no gradient"):
        Stepper(duel, "adapt").step(lambda: BATCH)


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_the_training_before_weights_change(factor):
    duel = Duel()
    stepper = Stepper(duel, "adapt")
    stepper.step(lambda: BATCH)
    before = values(duel)
    duel.factor = factor
    with pytest.raises(Diverged) as raised:
        stepper.step(lambda: BATCH)
    assert (raised.value.stage, raised.value.step, raised.value.player) == ("adapt", 1, "first")
    assert values(duel) == before


def test_schedules_advance_once_per_step():
    stepper = Stepper(Duel(), "adapt")
    rates = []
    for _ in range(3):
        rates.append(stepper.players["first"].optimiser.param_groups[0]["lr"])
        stepper.step(lambda: BATCH)
    assert rates == [1.0, 0.5, 0.25]


def test_gradients_are_clipped_to_the_players_norm():
    duel = Duel()
    duel.clip_norm = 0.5
    Stepper(duel, "adapt").step(lambda: BATCH)
    assert duel.seen == pytest.approx([1.5, 1.0], abs=1e-5)
    assert duel.second.item() == pytest.approx(0, abs=1e-5)  # the other player has no limit


def test_random_numbers_depend_on_seed_stage_and_step_alone():
    def drawn(seed: int, stage: str, skip: int = 0) -> list[float]:
        duel = Duel()
        stepper = Stepper(duel, stage, seed)
        stepper.index = skip
        torch.rand(seed + skip + 1)
        for _ in range(2):
            stepper.step(lambda: BATCH)
        return [float(number) for number in duel.drawn]

    once = drawn(0, "adapt")
    assert once == drawn(0, "adapt")
    assert once[1] == drawn(0, "adapt", skip=1)[0]
    assert not set(once) & set(drawn(1, "adapt"))
    assert not set(once) & set(drawn(0, "other"))


def test_a_stepper_continues_from_its_state():
    def make() -> Duel:
        return Duel(lambda p: Adam(p, lr=0.1))

    whole = make()
    stepper = Stepper(whole, "adapt")
    for _ in range(4):
        stepper.step(lambda: BATCH)

    begun = make()
    stepper = Stepper(begun, "adapt")
    for _ in range(2):
        stepper.step(lambda: BATCH)
    resumed = make()
    resumed.load_state_dict(begun.state_dict())
    state = stepper.state()
    stepper = Stepper(resumed, "adapt")
    stepper.load_state(state)
    assert stepper.index == 2
    for _ in range(2):
        stepper.step(lambda: BATCH)
    assert values(resumed) == values(whole)
    assert stepper.players["first"].optimiser.param_groups[0]["lr"] == 0.1 / 2**4


def test_seeds_depend_on_every_part():
    seeds = [derive_seed(0, "a"), derive_seed(1, "a"), derive_seed(0, "b"), derive_seed("0", "a")]
    assert len(set(seeds)) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_stage_begins_with_random_numbers_of_its_seed_and_name():
    def begun(seed: int, name: str) -> float:
        drawn = []
        torch.rand(seed + 1)
        stage = Stage(name, Duel(), 1, 1, "images", begin=lambda: drawn.append(torch.rand(())))
        begin_stage(stage, seed)
        return drawn[0].item()

    assert begun(0, "adapt") == begun(0, "adapt")
    assert len({begun(0, "adapt"), begun(1, "adapt"), begun(0, "other")}) == 3
