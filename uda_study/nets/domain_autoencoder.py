"""The autoencoder with a domain head whose features FID and KID compare."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from uda_study.nets.layers import SLOPE, conv

WIDTHS = (16, 32, 32)
FEATURES = WIDTHS[-1]
"""How many features a plane has: the channels of the bottleneck."""
REDUCTION = 2 ** len(WIDTHS)
"""By how much the bottleneck is smaller; planes are padded to a multiple of it."""
_INITIAL_STD = 0.02


class DomainAutoencoder(nn.Module):
    """Reconstructs planes ``(N, C, H, W)`` through a bottleneck and tells their domain from it.

    After Ren et al. (IEEE TMI 2021), appendix A: residual encoder and decoder without skip
    connections between them, and a branch that classifies the domain from the bottleneck, averaged
    over its extent; weights are drawn from N(0, 0.02). Depth and widths are ours. Batch
    normalisation, because instance normalisation would make that average the same for every plane.

    ``low`` and ``high`` ``(C,)`` are the intensities that become -1 and 1.
    """

    low: Tensor
    high: Tensor

    def __init__(self, channels: int, low: Tensor, high: Tensor) -> None:
        super().__init__()
        self.register_buffer("low", low)
        self.register_buffer("high", high)
        self.encoder = nn.Sequential(*(_Down(*pair) for pair in pairwise((channels, *WIDTHS))))
        self.decoder = nn.Sequential(
            *(_Up(*pair) for pair in pairwise((*reversed(WIDTHS), WIDTHS[0]))),
            conv(2, (WIDTHS[0], channels), bias=True),
        )
        self.domain = nn.Linear(FEATURES, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=_INITIAL_STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def scaled(self, planes: Tensor) -> Tensor:
        """Return the planes with ``low`` and ``high`` mapped to -1 and 1."""
        low, high = (edge.reshape(1, -1, 1, 1) for edge in (self.low, self.high))
        return 2 * (planes - low) / (high - low) - 1

    def features(self, planes: Tensor) -> Tensor:
        """Return the features ``(N, FEATURES)`` of planes as the images have them."""
        latent: Tensor = self.encoder(self.scaled(planes))
        return latent.mean(dim=(2, 3))

    def losses(self, planes: Tensor, is_target: Tensor) -> dict[str, Tensor]:
        """Return the L1 loss of the reconstruction and the cross-entropy of the domain ``(N,)``."""
        scaled = self.scaled(planes)
        latent = self.encoder(scaled)
        domain = self.domain(latent.mean(dim=(2, 3))).squeeze(1)
        return {
            "reconstruction": F.l1_loss(self.decoder(latent), scaled),
            "domain": F.binary_cross_entropy_with_logits(domain, is_target),
        }


class _Residual(nn.Module):
    """Adds two convolutions to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(2, (width, width)), nn.BatchNorm2d(width), nn.LeakyReLU(SLOPE),
            conv(2, (width, width)), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = x + self.body(x)
        return F.leaky_relu(total, SLOPE)


class _Down(nn.Sequential):
    """Halves the extent."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(
            conv(2, (channels, width), stride=2), nn.BatchNorm2d(width), nn.LeakyReLU(SLOPE),
            _Residual(width),
        )  # fmt: skip


class _Up(nn.Sequential):
    """Doubles the extent, by repetition and a convolution."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(
            nn.Upsample(scale_factor=2, mode="nearest"),
            conv(2, (channels, width)), nn.BatchNorm2d(width), nn.LeakyReLU(SLOPE),
            _Residual(width),
        )  # fmt: skip
