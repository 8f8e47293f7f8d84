"""Random changes of intensity that leave the anatomy where it is."""

from __future__ import annotations

import math

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor

from uda_study.method import Hyper


class PerturbationHyper(Hyper):
    """How strongly images are changed; ``noise: 0`` and ``gamma: 1`` leave them as they are."""

    noise: NonNegativeFloat = Field(0.1, description="deviation, in deviations of the image")
    gamma: float = Field(1.5, ge=1, description="largest power, the smallest is its inverse")


def perturb(image: Tensor, hyper: PerturbationHyper) -> Tensor:
    """Return images ``(N, C, *S)`` with bent intensities and noise, drawn anew for each channel.

    An intensity x between the channel's minimum a and maximum b becomes
    a + (b - a) ((x - a) / (b - a))^g with log g uniform in ± log ``gamma``. Draws from torch's
    global random numbers.
    """
    spatial = tuple(range(2, image.ndim))
    low, high = image.amin(spatial, keepdim=True), image.amax(spatial, keepdim=True)
    # A constant channel has no range and stays as it is.
    span = (high - low).clamp_min(torch.finfo(image.dtype).tiny)
    power = torch.exp((2 * torch.rand_like(low) - 1) * math.log(hyper.gamma))
    bent = low + (high - low) * ((image - low) / span) ** power
    deviation: Tensor = image.std(spatial, keepdim=True, correction=0)
    return bent + hyper.noise * deviation * torch.randn_like(image)
