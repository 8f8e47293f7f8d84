"""Comparison of two gloo ranks with one process on the whole batch, for several methods at once."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn
from torch.nn.modules.batchnorm import _BatchNorm

from uda_study.testing.method_run import AnyMethod, Run, largest_difference, state
from uda_study.training.ranks import Ranks

TOLERANCE = 1e-9
"""Largest difference of a weight between two ranks and one, in double precision. It is far above
rounding, because optimisers such as RMSProp divide by gradients that may be nearly zero."""

_SAMPLES = 4


def mixes_samples(method: AnyMethod) -> bool:
    """Whether the method normalises by the batch, of which each rank sees its own part only."""
    return any(isinstance(module, _BatchNorm) for module in Run(method, 2).method.modules())


def ranks_differ(methods: Mapping[str, AnyMethod], spatial_dims: Sequence[int]) -> dict[str, float]:
    """Return the largest difference of a weight after training, by ``name/2d`` or ``name/3d``.

    Both trainings are in double precision and are to agree within `TOLERANCE`. The methods must
    be importable by name; both processes are started once for all of them.
    """
    cases = [(name, method, dims) for name, method in methods.items() for dims in spatial_dims]
    with tempfile.TemporaryDirectory() as folder:
        spawn(_train_rank, (cases, folder), nprocs=2)
        return {
            f"{name}/{dims}d": _compare(method, dims, Path(folder), f"{name}-{dims}")
            for name, method, dims in cases
        }


def _train_rank(rank: int, cases: list[tuple[str, AnyMethod, int]], folder: str) -> None:
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    for name, method, dims in cases:
        run = Run(method, dims, samples=_SAMPLES, ranks=Ranks.current())
        run.train()
        torch.save(state(run.method), Path(folder) / f"{name}-{dims}.{rank}")
    dist.destroy_process_group()


def _compare(method: AnyMethod, dims: int, folder: Path, stem: str) -> float:
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        run = Run(method, dims, samples=_SAMPLES)
        run.train()
    finally:
        torch.set_default_dtype(usual)
    whole = state(run.method)
    of_ranks = (torch.load(folder / f"{stem}.{rank}", weights_only=True) for rank in (0, 1))
    return max(largest_difference(whole, one) for one in of_ranks)
