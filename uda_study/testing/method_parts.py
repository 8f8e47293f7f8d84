"""Comparison of a batch that is gone through in parts with the whole batch."""

from __future__ import annotations

import torch

from uda_study.errors import TrainingError
from uda_study.testing.method_ranks import TOLERANCE, mixes_samples
from uda_study.testing.method_run import AnyMethod, Run, Trace, largest_difference, state

_SAMPLES, _PARTS = 3, 2


def check_parts_equal_the_whole_batch(method: AnyMethod, spatial_dims: int) -> None:
    """Check that a batch in two parts of unequal size gives the same losses and weights.

    Both trainings are in double precision. A method that normalises by the batch must be refused.
    In three dimensions nothing of it would be different, so a method of two is looked at there.
    """
    if spatial_dims != min(method.needs.spatial_dims):
        return
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        run = Run(method, spatial_dims, samples=_SAMPLES, parts=_PARTS)
        if mixes_samples(method):
            _refused(run)
            return
        whole = Run(method, spatial_dims, samples=_SAMPLES)
        losses, expected = run.train(), whole.train()
    finally:
        torch.set_default_dtype(usual)
    difference = largest_difference(state(whole.method), state(run.method))
    assert difference < TOLERANCE, f"weights of parts and of the whole differ by {difference}"
    difference = _largest(losses, expected)
    assert difference < TOLERANCE, f"losses of parts and of the whole differ by {difference}"


def _refused(run: Run) -> None:
    try:
        run.train()
    except TrainingError:
        return
    raise AssertionError("a batch was normalised in parts")


def _largest(losses: Trace, expected: Trace) -> float:
    pairs = zip(losses, expected, strict=True)
    return max((abs(one[n] - other[n]) for one, other in pairs for n in one), default=0.0)
