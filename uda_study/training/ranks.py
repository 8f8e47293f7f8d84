"""The processes that train one model together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """The place of a process among those that train one model together; alone by default."""

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> Ranks:
        """Return the place in the process group that is set up, or alone."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        return cls()

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

    def wait(self) -> None:
        """Return once every process has come here."""
        if self.size > 1:
            dist.barrier()

    def agree(self, flag: bool) -> bool:
        """Return rank 0's answer on every process."""
        if self.size == 1:
            return flag
        # Sent through the tensor type that every backend carries, on the backend's own device.
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        answer = torch.tensor([int(flag)], device=device)
        dist.broadcast(answer, src=0)
        return bool(answer.item())
