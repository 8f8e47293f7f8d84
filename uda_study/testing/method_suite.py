"""The contract that every method keeps, as checks that take a method's class.

    from uda_study.testing import method_suite

    @pytest.mark.parametrize("check", method_suite.CHECKS, ids=method_suite.check_name)
    def test_contract(check):
        check(MyMethod, spatial_dims=2)

A check raises `AssertionError` saying what was broken. Methods are trained for a few steps per
stage on random images by `uda_study.testing.method_run`; `uda_study.testing.method_ranks` compares
two processes with one.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch

from uda_study.errors import LabelsWithheld
from uda_study.method import (
    AdaptsSegmenter,
    Batch,
    Criticises,
    Method,
    Player,
    RendersStyles,
    Restores,
    Trainable,
    Translates,
    Update,
)
from uda_study.testing.method_parts import check_parts_equal_the_whole_batch
from uda_study.testing.method_run import (
    STEPS,
    AnyMethod,
    Run,
    largest_difference,
    state,
    tiny_hyper,
    weights,
)
from uda_study.training.step import Stepper


class _Watched(Trainable):
    """Compares the method's weights before and after every step of a player."""

    def __init__(self, trainable: Trainable, method: Method[Any]) -> None:
        super().__init__()
        self.trainable = trainable
        self.method = method
        self.own: dict[str, set[int]] = {}

    def players(self) -> Mapping[str, Player]:
        players = self.trainable.players()
        self.own = {
            name: {id(p) for group in player.optimiser.param_groups for p in group["params"]}
            for name, player in players.items()
        }
        return players

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        for update in self.trainable.updates(draw):
            before = weights(self.method)
            yield update
            changed = {
                name
                for name, parameter in self.method.named_parameters()
                if not torch.equal(parameter, before[name])
            }
            own = {n for n, p in self.method.named_parameters() if id(p) in self.own[update.player]}
            others = sorted(changed - own)
            assert not others, f"a step of {update.player!r} changed {others}"
            assert changed, f"a step of {update.player!r} changed nothing"


def check_an_update_changes_only_its_player(method: AnyMethod, spatial_dims: int) -> None:
    """Check that a player's step changes weights of its own and no others, and that all move.

    The stepper raises `TrainingError` for a parameter of a player that gets no gradient.
    """
    run = Run(method, spatial_dims)
    for stage, _, draw in run.stages():
        stepper = Stepper(_Watched(stage.trainable, run.method), stage.name)
        losses = [name for _ in range(STEPS) for name in stepper.step(draw)]
        idle = set(stepper.players) - {name.split("/")[0] for name in losses}
        assert not idle, f"stage {stage.name!r} never updates {sorted(idle)}"


def check_the_same_seed_gives_the_same_trace(method: AnyMethod, spatial_dims: int) -> None:
    """Check that two trainings with one seed agree in every bit."""
    first, second = Run(method, spatial_dims), Run(method, spatial_dims)
    assert first.train() == second.train(), "the same seed gave different losses"
    difference = largest_difference(state(first.method), state(second.method))
    assert difference == 0.0, "the same seed gave different weights"


def check_resume_is_bit_identical(method: AnyMethod, spatial_dims: int) -> None:
    """Check that a training stored and continued elsewhere ends as one without a break."""
    whole, stored = Run(method, spatial_dims), Run(method, spatial_dims)
    stages = zip(whole.stages(), stored.stages(), strict=True)
    for number, ((_, stepper, draw), (_, early, early_draw)) in enumerate(stages):
        for _ in range(STEPS):
            stepper.step(draw)
            early.step(early_draw)
        stepper.step(draw)
        elsewhere = Run(method, spatial_dims, seed=1)
        elsewhere.method.load_state_dict(_through_a_file(stored.method.state_dict()))
        stage = elsewhere.method.stages()[number]
        continued = Stepper(stage.trainable, stage.name)
        continued.load_state(_through_a_file(early.state()))
        continued.step(early_draw)
        difference = largest_difference(state(whole.method), state(elsewhere.method))
        assert difference == 0.0, f"stage {stage.name!r} resumed differs by {difference}"
        stored.method.load_state_dict(elsewhere.method.state_dict())


def check_segment_keeps_the_shape(method: AnyMethod, spatial_dims: int) -> None:
    """Check that `segment` gives finite logits ``(N, K, *S)``, the same every time in eval mode."""
    run = Run(method, spatial_dims)
    run.train()
    run.method.eval()
    image = torch.randn(2, run.task.in_channels, *run.task.patch_size)
    before = state(run.method)
    with torch.no_grad():
        logits = run.method.segment(image)
        assert logits.shape == (2, run.task.num_classes, *run.task.patch_size), "shape of segment"
        assert bool(torch.isfinite(logits).all()), "segment gives values that are not finite"
        assert torch.equal(logits, run.method.segment(image)), "segment is random in eval mode"
        assert torch.allclose(logits[:1], run.method.segment(image[:1]), atol=1e-4), (
            "segment of an image depends on the others in its batch"
        )
    assert largest_difference(before, state(run.method)) == 0.0, "segment changes the state"


def check_optional_parts_work(method: AnyMethod, spatial_dims: int) -> None:
    """Check the shapes of what a method offers beyond `segment`."""
    run = Run(method, spatial_dims)
    run.train()
    model = run.method.eval()
    image = torch.randn(2, run.task.in_channels, *run.task.patch_size)
    with torch.no_grad():
        if isinstance(model, AdaptsSegmenter):
            logits = model.segment_source(image)
            assert logits.shape == (2, run.task.num_classes, *run.task.patch_size)
        if isinstance(model, Translates):
            assert model.translate(image).shape == image.shape
        if isinstance(model, Restores):
            assert model.restore(image).shape == image.shape
        if isinstance(model, RendersStyles):
            styles = model.sample_styles(2, torch.Generator().manual_seed(0))
            assert styles.shape == model.encode_style(image).shape
            assert model.render(image, styles).shape == image.shape
        if isinstance(model, Criticises):
            distance = model.critic_distance(Batch(image, torch.empty(0), image + 1))
            assert distance.dim() == 0, "critic_distance must be a scalar"
            assert bool(torch.isfinite(distance)), "critic_distance must be finite"


def check_the_order_of_players_ignores_the_data(method: AnyMethod, spatial_dims: int) -> None:
    """Check that other images give the same sequence of players."""
    orders = []
    for seed, scale in ((0, 1.0), (1, 0.0), (2, 100.0)):
        run, order = Run(method, spatial_dims), []
        for stage, _, draw in run.stages():
            draw.seed = seed
            for _ in range(STEPS):
                order += [u.player for u in stage.trainable.updates(_scaled(draw, scale))]
        orders.append(order)
    assert orders[0] == orders[1] == orders[2], "the order of players depends on the data"


def check_hyperparameters_round_trip(method: AnyMethod, spatial_dims: int) -> None:
    """Check that defaults and tiny values survive JSON and are frozen."""
    del spatial_dims
    for hyper in (method.Hyper(), tiny_hyper(method.Hyper)):
        again = method.Hyper.model_validate_json(hyper.model_dump_json())
        assert again == hyper, "hyperparameters change on their way through JSON"
    assert method.Hyper.model_config.get("frozen"), "hyperparameters must be frozen"
    assert method.Hyper.model_config.get("extra") == "forbid", "unknown names must be errors"


def check_labels_are_read_only_where_declared(method: AnyMethod, spatial_dims: int) -> None:
    """Check that the stages read as much of the target as the method declares, and no more."""
    order = ("none", "images", "labels")
    run = Run(method, spatial_dims)
    read = []
    for stage, stepper, draw in run.stages():
        read.append(stage.target)
        if stage.target != "labels":
            try:
                _ = draw().target_label
            except LabelsWithheld:
                pass
            else:
                raise AssertionError("a target label was handed out")
        stepper.step(draw)
    most = max(read, key=order.index)
    assert most == method.needs.target, f"needs.target must be {most!r}, the most a stage reads"


def check_mixed_precision_is_finite(method: AnyMethod, spatial_dims: int) -> None:
    """Check that a training in bf16 has finite losses and weights."""
    run = Run(method, spatial_dims, precision="bf16")
    for losses in run.train():
        assert all(math.isfinite(loss) for loss in losses.values()), "a loss is not finite"
    assert all(bool(torch.isfinite(value).all()) for value in run.method.parameters())


CHECKS: tuple[Callable[[AnyMethod, int], None], ...] = (
    check_an_update_changes_only_its_player,
    check_the_same_seed_gives_the_same_trace,
    check_resume_is_bit_identical,
    check_segment_keeps_the_shape,
    check_optional_parts_work,
    check_the_order_of_players_ignores_the_data,
    check_hyperparameters_round_trip,
    check_labels_are_read_only_where_declared,
    check_mixed_precision_is_finite,
    check_parts_equal_the_whole_batch,
)
"""All checks that need one process."""


def check_name(check: Callable[[AnyMethod, int], None]) -> str:
    """Return what a check says, for a test's id."""
    return check.__name__.removeprefix("check_")


def _through_a_file(values: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    torch.save(values, buffer)
    buffer.seek(0)
    read: dict[str, Any] = torch.load(buffer, weights_only=True)
    return read


def _scaled(draw: Callable[[], Batch], scale: float) -> Callable[[], Batch]:
    def scaled() -> Batch:
        batch = draw()
        return replace(
            batch,
            source_image=scale * batch.source_image,
            target_image=scale * batch.target_image,
        )

    return scaled
