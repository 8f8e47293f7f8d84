"""A batch in parts, so that an update takes less memory and stays what it is.

Every part has a generator of the method's updates of its own. They move on together: each goes to
its next yield, its gradients are added up and its graph is let go before the next one moves; only
then is the player's step made. What a graph holds for a later update waits in the host's memory.
So every loss of an update is computed with the same weights, and all code after a yield runs once
that step has been applied, as with the whole batch.

What a method changes by itself (counters, moving averages, clipped weights, estimates of a spectral
norm) has to be changed once and not by every part: what was changed since the step is put back
before the next part moves on, which then changes it itself. Modules that keep samples (`Forgets`,
such as image pools) are not put back; they see the samples of all parts in turn.

A loss has to be a mean over the samples of what depends on a sample alone. That is what makes
several ranks equal one process as well; batch normalisation breaks both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.modules.batchnorm import _BatchNorm

from uda_study.method import Batch, Forgets, Trainable

Draw = Callable[[], Batch]


class Split:
    """Gives every part its samples of each batch that is drawn, and says how much it weighs."""

    def __init__(self, draw: Draw, parts: int) -> None:
        self._draw = draw
        self._parts = parts
        self._taken = [0] * parts
        self._batches: list[dict[int, Batch]] = []
        self.weights = [1.0 / parts] * parts

    def draws(self) -> list[Draw]:
        """Return what each part's generator draws from."""
        if self._parts == 1:
            return [self._draw]
        return [partial(self._take, part) for part in range(self._parts)]

    def _take(self, part: int) -> Batch:
        number = self._taken[part]
        self._taken[part] += 1
        if number == len(self._batches):
            self._batches.append(self._split(self._draw()))
        return self._batches[number].pop(part)

    def _split(self, batch: Batch) -> dict[int, Batch]:
        samples = len(batch.source_image)
        ends = [samples * part // self._parts for part in range(self._parts + 1)]
        self.weights = [(end - start) / samples for start, end in pairwise(ends)]
        return {
            number: _part(batch, slice(start, end))
            for number, (start, end) in enumerate(pairwise(ends))
        }


class Start:
    """The state from which every part moves on to an update: the step just made, and no more."""

    def __init__(self, trainable: Trainable) -> None:
        kept = {
            id(tensor)
            for module in trainable.modules()
            if isinstance(module, Forgets) and not isinstance(module, Trainable)
            for tensor in _state(module)
        }
        self._tensors = [tensor for tensor in _state(trainable) if id(tensor) not in kept]
        self._before: list[tuple[int, Tensor]] = []

    def note(self) -> None:
        """Remember what all of it is now."""
        self._before = [(t._version, t.detach().clone()) for t in self._tensors]

    @torch.no_grad()
    def put_back(self) -> None:
        """Undo what was changed since `note`, and touch nothing else: graphs may hold it."""
        before = []
        for tensor, (version, value) in zip(self._tensors, self._before, strict=True):
            if tensor._version != version:
                tensor.copy_(value)
            before.append((tensor._version, value))
        self._before = before


class _Held:
    """A tensor that a graph holds, wherever it lies just now."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.device = tensor.device


class Aside:
    """Moves to the host's memory what the graphs of a part hold while other parts move on.

    That is what a method computes before one yield and differentiates after the next, such as the
    translations that a CycleGAN shows to its discriminators first.
    """

    def __init__(self, trainable: Trainable, parts: int) -> None:
        self._state = {tensor.untyped_storage().data_ptr() for tensor in _state(trainable)}
        self._held: list[WeakSet[_Held]] = [WeakSet() for _ in range(parts)]

    def watching(self, part: int) -> saved_tensors_hooks:
        """Note what graphs hold that are built in this context; weights stay where they are."""

        def pack(tensor: Tensor) -> Tensor | _Held:
            if tensor.untyped_storage().data_ptr() in self._state:
                return tensor
            held = _Held(tensor)
            self._held[part].add(held)
            return held

        return saved_tensors_hooks(pack, _unpack)

    def put(self, part: int) -> None:
        """Move what the graphs of a part still hold."""
        for held in self._held[part]:
            held.tensor = held.tensor.to("cpu", copy=True)
        self._held[part] = WeakSet()


def _unpack(held: Tensor | _Held) -> Tensor:
    return held if isinstance(held, Tensor) else held.tensor.to(held.device)


def normalises_by_the_batch(trainable: Trainable) -> bool:
    """Tell whether samples of a batch depend on each other, in the modes that are set now."""
    return any(m.training for m in trainable.modules() if isinstance(m, _BatchNorm))


def _state(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def _part(batch: Batch, part: slice) -> Batch:
    label = batch._target_label
    return replace(
        batch,
        source_image=batch.source_image[part],
        source_label=batch.source_label[part],
        target_image=batch.target_image[part],
        _target_label=None if label is None else label[part],
    )
