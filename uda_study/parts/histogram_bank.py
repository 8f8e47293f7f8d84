"""Histogram matching to the most similar of the source images that were seen.

Both images are reduced to the same landmarks: minimum, threshold, quantiles of what is brighter
than the threshold, maximum. Between two landmarks intensities are mapped linearly, as SimpleITK's
``HistogramMatchingImageFilter`` does, which takes the quantiles from a binned histogram.
"""

from __future__ import annotations

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from uda_study.method import Hyper

_BINS = 64
_RANGE = (0.001, 0.999)


class MatchingHyper(Hyper):
    """The options of SimpleITK's filter, except for the number of bins: quantiles are exact."""

    points: PositiveInt = Field(7, description="quantiles between threshold and maximum")
    at_mean: bool = Field(True, description="match what is above the mean; false: everything")


class HistogramBank(nn.Module):
    """Landmarks and histograms of source images; the images themselves are not kept.

    All are of single channels. Histograms count the voxels at or above the threshold, in 64 bins
    over the 0.1 to 99.9 percentiles of such voxels in the first batch of both domains; values
    outside count in the outermost bins.
    """

    def __init__(self, images: int, channels: int, hyper: MatchingHyper) -> None:
        super().__init__()
        self.hyper = hyper
        self.landmarks: Tensor
        self.histograms: Tensor
        self.edges: Tensor
        self.filled: Tensor
        self.register_buffer("landmarks", torch.zeros(images, channels, hyper.points + 3))
        self.register_buffer("histograms", torch.zeros(images, channels, _BINS))
        self.register_buffer("edges", torch.zeros(channels, 2))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    def clear(self) -> None:
        """Forget all images."""
        for buffer in (self.landmarks, self.histograms, self.edges, self.filled):
            buffer.zero_()

    def add(self, source: Tensor, target: Tensor) -> None:
        """Note source images ``(N, C, *S)`` as long as there is room.

        Of target images the first call alone takes their range.
        """
        start = int(self.filled)
        if start == 0:
            pooled = torch.cat([source, target]).flatten(2)
            self.edges.copy_(_common_range(pooled, self._threshold(pooled)))
        rows = source.flatten(2)[: len(self.landmarks) - start]
        threshold = self._threshold(rows)
        new = slice(start, start + len(rows))
        self.landmarks[new] = _landmarks(rows, threshold, self.hyper.points)
        self.histograms[new] = _histograms(rows, threshold, self.edges)
        self.filled += len(rows)

    def match(self, image: Tensor) -> Tensor:
        """Give each channel of ``(N, C, *S)`` the intensities of the nearest source channel.

        Nearest in the Jensen-Shannon divergence of the histograms. A constant channel, which shows
        nothing, stays as it is.
        """
        rows = image.flatten(2)
        threshold = self._threshold(rows)
        nearest = self._nearest(_histograms(rows, threshold, self.edges))
        wanted = self.landmarks[nearest, torch.arange(rows.shape[1], device=rows.device)]
        own = _landmarks(rows, threshold, self.hyper.points)
        matched = _map(rows, own, wanted.to(rows))
        return torch.where(own[..., -1:] > own[..., :1], matched, rows).view_as(image)

    def _threshold(self, rows: Tensor) -> Tensor:
        """Return the intensity ``(N, C, 1)`` from which on voxels of ``(N, C, V)`` count."""
        low, high = rows.amin(2, keepdim=True), rows.amax(2, keepdim=True)
        if not self.hyper.at_mean:
            return low
        # Rounding can put the mean of equal values above them.
        return rows.mean(2, keepdim=True).clamp(low, high)

    def _nearest(self, histograms: Tensor) -> Tensor:
        """Return which image of the bank is nearest to ``(N, C, bins)``, as ``(N, C)``."""
        known = self.histograms.to(histograms)
        mixed = (histograms[:, None] + known[None]) / 2
        divergence = _entropy(mixed) - (_entropy(histograms)[:, None] + _entropy(known)[None]) / 2
        divergence[:, int(self.filled) :] = torch.inf
        return divergence.argmin(1)


def _landmarks(rows: Tensor, threshold: Tensor, points: int) -> Tensor:
    """Return minimum, threshold, quantiles at or above it and maximum, ``(N, C, points + 3)``."""
    ordered = rows.sort(dim=2).values
    last = rows.shape[2] - 1
    below = (rows < threshold).sum(2, keepdim=True).clamp_max(last)
    # In double precision, which counts the voxels of any volume.
    share = torch.arange(1, points + 1, device=rows.device, dtype=torch.float64) / (points + 1)
    position = below + share * (last - below)
    before = position.floor().long()
    after = (before + 1).clamp_max(last)
    quantiles = torch.lerp(
        ordered.gather(2, before), ordered.gather(2, after), (position - before).to(rows)
    )
    return torch.cat([ordered[..., :1], threshold, quantiles, ordered[..., -1:]], dim=2)


def _map(rows: Tensor, own: Tensor, wanted: Tensor) -> Tensor:
    """Map ``(N, C, V)`` linearly between the landmarks ``own`` to those ``wanted``."""
    left = torch.searchsorted(own, rows, right=True).clamp(1, own.shape[2] - 1) - 1
    low, high = own.gather(2, left), own.gather(2, left + 1)
    # Only at the very top can a value lie between two landmarks that are equal.
    share = torch.where(high > low, (rows - low) / (high - low), 1.0)
    return torch.lerp(wanted.gather(2, left), wanted.gather(2, left + 1), share)


def _common_range(rows: Tensor, threshold: Tensor) -> Tensor:
    """Return the percentiles of the voxels that count, of all samples, as ``(C, 2)``."""
    limits = []
    for channel, low in zip(rows.unbind(1), threshold.unbind(1), strict=True):
        ordered = channel[channel >= low].sort().values
        places = [round(share * (len(ordered) - 1)) for share in _RANGE]
        limits.append(ordered[places])
    return torch.stack(limits)


def _histograms(rows: Tensor, threshold: Tensor, edges: Tensor) -> Tensor:
    """Return the shares of the voxels that count in each bin, ``(N, C, bins)``."""
    low, high = edges.to(rows).unsqueeze(-1).unbind(1)
    width = ((high - low) / _BINS).clamp_min(torch.finfo(rows.dtype).tiny)
    place = ((rows - low) / width).floor().clamp(0, _BINS - 1).long()
    counted = (rows >= threshold).to(rows.dtype)
    counts = rows.new_zeros(*rows.shape[:2], _BINS).scatter_add(2, place, counted)
    return counts / counts.sum(2, keepdim=True).clamp_min(1)


def _entropy(histograms: Tensor) -> Tensor:
    total: Tensor = torch.special.entr(histograms).sum(-1)
    return total
