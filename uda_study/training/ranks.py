"""The processes that train one model together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """The place of a process among those that train one model together; alone by default.

    ``talk`` is the group in which they agree on things, from the memory of their hosts.
    """

    rank: int = 0
    size: int = 1
    talk: Any = field(default=None, compare=False)

    @classmethod
    def current(cls) -> Ranks:
        """Return the place in the process group that is set up, or alone; every process calls it.

        Where tensors travel between GPUs, a second group carries what processes agree on: it can
        be asked for every update without waiting for what the GPUs still have to do.
        """
        if not (dist.is_available() and dist.is_initialized()):
            return cls()
        talk = None if dist.get_backend() == "gloo" else dist.new_group(backend="gloo")
        return cls(dist.get_rank(), dist.get_world_size(), talk)

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes files and reports."""
        return self.rank == 0

    def mean_(self, values: Tensor) -> Tensor:
        """Average the tensor over all processes, in place, and return it."""
        if self.size > 1:
            dist.all_reduce(values)
            values /= self.size
        return values

    def any(self, flag: bool) -> bool:
        """Return on every process whether one of them says yes."""
        if self.size == 1:
            return flag
        answer = torch.tensor([int(flag)])
        dist.all_reduce(answer, dist.ReduceOp.MAX, group=self.talk)
        return bool(answer.item())

    def wait(self) -> None:
        """Return once every process has come here."""
        if self.size > 1:
            dist.barrier()

    def agree(self, flag: bool) -> bool:
        """Return rank 0's answer on every process."""
        if self.size == 1:
            return flag
        answer = torch.tensor([int(flag)])
        dist.broadcast(answer, src=0, group=self.talk)
        return bool(answer.item())
