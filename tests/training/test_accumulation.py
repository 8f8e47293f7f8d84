"""A batch in parts is one batch: for what a method changes by itself as well."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Barrier

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from uda_study.errors import OutOfMemory, TrainingError
from uda_study.method import Batch, Player, Trainable, Update
from uda_study.parts.image_pool import ImagePool
from uda_study.training.accumulation import Aside, Start
from uda_study.training.ranks import Ranks
from uda_study.training.step import Stepper

LACK = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def batch(samples: int = 5, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(2, samples, 1, 4, 4, generator=generator)
    return Batch(images[0], torch.zeros(samples, 4, 4, dtype=torch.int64), images[1])


class Follower(Trainable):
    """A player, a moving average of it, a counter, and a history of images."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 4))
        self.average = nn.Parameter(torch.zeros(4, 4), requires_grad=False)
        self.pool = ImagePool(20, 1, (4, 4))
        self.count: Tensor
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.seen: list[int] = []

    def players(self):
        return {"all": Player(SGD([self.weight], lr=0.1))}

    def updates(self, draw: Callable[[], Batch]) -> Iterator[Update]:
        for _ in range(2):
            image = draw().source_image
            self.seen.append(int(self.count))
            self.pool.swap(image)
            yield Update("all", {"square": (image * self.weight).square().mean()})
            with torch.no_grad():
                self.average.lerp_(self.weight, 0.5)
                self.weight.clamp_(-0.9, 0.9)
            self.count += 1


def trained(parts: int, samples: int = 5) -> tuple[Follower, list[dict[str, float]]]:
    model, numbers = Follower(), iter(range(100))
    stepper, trace = Stepper(model, "adapt", parts=parts), []
    for _ in range(3):
        losses = stepper.step(lambda: batch(samples, next(numbers)))
        trace.append({name: float(loss) for name, loss in losses.items()})
    return model, trace


@pytest.mark.parametrize("parts", [2, 3, 5])
def test_parts_change_what_a_whole_batch_changes(parts):
    whole, losses = trained(1)
    model, found = trained(parts)
    assert found == [pytest.approx(one, abs=1e-6) for one in losses]
    for name, value in whole.state_dict().items():
        assert torch.allclose(model.state_dict()[name], value, atol=1e-6), name
    assert int(model.count) == 6
    assert model.seen == [step for step in range(6) for _ in range(parts)]


def test_modules_that_keep_samples_see_those_of_all_parts():
    model, _ = trained(2, samples=3)
    assert int(model.pool.stored) == 18
    whole, _ = trained(1, samples=3)
    assert torch.equal(model.pool.images, whole.pool.images)


def test_graphs_of_one_part_at_a_time_are_held():
    alive: list[int] = []
    held: set[int] = set()

    class Held(torch.autograd.Function):
        @staticmethod
        def forward(ctx, image: Tensor) -> Tensor:
            held.add(id(ctx))
            alive.append(len(held))
            ctx.name = id(ctx)
            return image.clone()

        @staticmethod
        def backward(ctx, gradient: Tensor) -> Tensor:
            held.discard(ctx.name)
            return gradient

    class Plain(Follower):
        def updates(self, draw):
            image = draw().source_image
            yield Update("all", {"a": Held.apply(image * self.weight).mean()})

    Stepper(Plain(), "adapt", parts=5).step(batch)
    assert alive == [1] * 5


def test_what_a_graph_holds_waits_elsewhere_and_weights_stay():
    model = Follower()
    aside = Aside(model, 1)

    def gradient(put: bool) -> Tensor:
        with aside.watching(0):
            held = (2 * model.weight).exp()
            loss = (held * model.weight).sum()
        if put:
            aside.put(0)
        with torch.no_grad():
            held.zero_()
        (found,) = torch.autograd.grad(loss, [model.weight])
        return found

    weight = model.weight.detach()
    expected = (2 * weight).exp() * (2 * weight + 1)
    assert torch.allclose(gradient(put=True), expected)
    assert not torch.allclose(gradient(put=False), expected)
    aside = Aside(model, 1)
    with aside.watching(0):
        loss = model.weight.square().sum()
    aside.put(0)
    with torch.no_grad():
        model.weight *= 3
    assert torch.equal(torch.autograd.grad(loss, [model.weight])[0], 2 * model.weight)


def test_what_a_graph_holds_is_not_touched_unless_it_changed():
    model = Follower()
    state = Start(model)
    state.note()
    version = model.average._version
    model.count += 1
    state.put_back()
    assert model.average._version == version
    assert int(model.count) == 0


def test_parts_that_go_different_ways_are_refused():
    class Fickle(Follower):
        def updates(self, draw):
            if float(draw().source_image.mean()) > 0:
                yield Update("all", {"a": self.weight.sum()})

    ones = torch.ones(1, 1, 4, 4)
    mixed = torch.cat([ones, -ones])
    with pytest.raises(TrainingError, match="parts of a batch differ"):
        Stepper(Fickle(), "adapt", parts=2).step(lambda: Batch(mixed, mixed[:, 0].long(), mixed))


def test_a_batch_that_is_normalised_as_one_is_not_taken_apart():
    class Normalised(Follower):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(1, affine=False)

        def updates(self, draw):
            yield Update("all", {"a": (self.norm(draw().source_image) * self.weight).mean()})

    model = Normalised()
    Stepper(model, "adapt").step(batch)
    with pytest.raises(TrainingError, match="batch normalisation"):
        Stepper(model, "adapt", parts=2).step(batch)
    model.eval()
    Stepper(model, "adapt", parts=2).step(batch)


@pytest.mark.parametrize("where", ["before", "after"])
def test_too_little_memory_in_the_methods_code_or_in_a_step_is_told(where):
    class Hungry(Follower):
        def updates(self, draw):
            if where == "before":
                raise LACK
            yield Update("all", {"a": (draw().source_image * self.weight).mean()})
            raise LACK

    with pytest.raises(OutOfMemory, match=r"stage 'adapt'.*lower batch_size") as raised:
        Stepper(Hungry(), "adapt").step(batch)
    assert raised.value.divisible


def test_other_errors_stay_what_they_are():
    class Wrong(Follower):
        def updates(self, draw):
            yield Update("all", {"a": draw().source_image @ torch.ones(3, 3)})

    with pytest.raises(RuntimeError, match=r"mat1 and mat2|size"):
        Stepper(Wrong(), "adapt").step(batch)


@dataclass(frozen=True)
class ThreadRanks(Ranks):
    """Two ranks that are threads of this process."""

    meeting: Barrier = field(default_factory=lambda: Barrier(2, timeout=30))
    said: dict[int, Tensor] = field(default_factory=dict)

    def mean_(self, values: Tensor) -> Tensor:
        return values.copy_(torch.stack(self._exchange(values.clone())).mean(0))

    def any(self, flag: bool) -> bool:
        return any(self._exchange(flag))

    def _exchange(self, value):
        self.said[self.rank] = value
        self.meeting.wait()
        found = [self.said[0], self.said[1]]
        self.meeting.wait()
        return found


def test_ranks_end_together_and_go_on_together_in_parts():
    """Of two ranks one has too little memory for its two samples of every batch."""

    class Small(Follower):
        def updates(self, draw):
            def drawn() -> Batch:
                found = draw()
                if self.is_small and len(found.source_image) > 1:
                    raise LACK
                return found

            return super().updates(drawn)

    first = ThreadRanks(0, 2)
    second = replace(first, rank=1)

    def train(ranks: ThreadRanks, parts: int) -> Tensor:
        model, numbers = Small(), iter(range(100))
        model.is_small = ranks.rank == 1
        mine = slice(2 * ranks.rank, 2 * ranks.rank + 2)

        def draw() -> Batch:
            whole = batch(4, next(numbers))
            return Batch(
                whole.source_image[mine], whole.source_label[mine], whole.target_image[mine]
            )

        stepper = Stepper(model, "adapt", ranks=ranks, parts=parts)
        for _ in range(3):
            stepper.step(draw)
        return model.weight.detach()

    with ThreadPoolExecutor(2) as threads:
        lacking = [threads.submit(train, ranks, 1) for ranks in (first, second)]
        assert [type(one.exception(timeout=60)) for one in lacking] == [OutOfMemory] * 2
        trained_in_parts = [threads.submit(train, ranks, 2) for ranks in (first, second)]
        one, other = (found.result(timeout=60) for found in trained_in_parts)
    whole, _ = trained(1, samples=4)
    assert torch.equal(one, other)
    assert torch.allclose(one, whole.weight, atol=1e-6)
