"""Features of whole image planes, by an autoencoder trained once for all trainings on a split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from uda_study.data.divergence import PERCENTILES
from uda_study.data.patches import centred_start, cut
from uda_study.data.prepare import PreparedCase
from uda_study.nets.domain_autoencoder import REDUCTION, DomainAutoencoder
from uda_study.training.stage_cache import StageCache, code_sha, stage_key
from uda_study.training.step import derive_seed
from uda_study.training.task_data import TaskData
from uda_study.types import JSON

EPOCHS = (20, 100)
"""With a constant learning rate, and while it falls to zero (Ren et al. 2021, appendix A)."""
LEARNING_RATE = 1e-3
BATCH_SIZE = 64
LARGEST_EDGE = 128
"""Larger planes are scaled down to it."""
MOST_PLANES = 512
"""Of one domain, on which the autoencoder is trained; spread evenly over its cases and slices."""


class PlaneFeatures:
    """Turns the slices of a volume into features; fitted on source training and target adaptation.

    Neither test images nor labels are read. A plane is a slice across the last axis whose mask is
    not empty, padded or cropped around its centre to the largest slice of the two domains.
    """

    def __init__(self, data: TaskData, device: torch.device, cache: StageCache | None) -> None:
        self.device = device
        fitted = data.cases("source_train"), data.cases("target_adapt")
        shapes = [case.grid.shape[:2] for domain in fitted for case in domain]
        largest = np.max(shapes, axis=0)
        self.cut_size = tuple(int(size) for size in largest)
        scale = min(1.0, LARGEST_EDGE / max(self.cut_size))
        self.size = tuple(ceil(scale * s / REDUCTION) * REDUCTION for s in self.cut_size)
        # The training that asks for the features goes on with the random numbers that it had.
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(derive_seed(0, "features"))
            self.network = self._fitted(*fitted, cache).to(device).eval()

    def __call__(self, image: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return features ``(n, D)`` of the slices of ``(C, X, Y, Z)`` that the mask touches."""
        with torch.inference_mode():
            parts = [
                self.network.features(part.to(self.device)).double().cpu()
                for part in self._planes(image, _slices(mask)).split(BATCH_SIZE)
            ]
        features: NDArray[np.float64] = torch.cat(parts).numpy()
        return features

    def _planes(self, image: NDArray[np.float32], slices: Sequence[int]) -> Tensor:
        """Return slices as ``(n, C, H, W)``."""
        start = [centred_start(n, m) for n, m in zip(image.shape[1:3], self.cut_size, strict=True)]
        padding = np.asarray(image.min(axis=(1, 2, 3)))
        planes = [cut(image, (*start, z), (*self.cut_size, 1), padding)[..., 0] for z in slices]
        return F.interpolate(torch.from_numpy(np.stack(planes)), self.size, mode="area")

    def _fitted(
        self,
        source: Sequence[PreparedCase],
        target: Sequence[PreparedCase],
        cache: StageCache | None,
    ) -> DomainAutoencoder:
        """Return the network from the cache, or train it; of two processes one trains."""
        if cache is None:
            return self._train(source, target)
        facts: dict[str, JSON] = {
            "features": code_sha(("training/features.py",)),
            "source": [case.sha256 for case in source],
            "target": [case.sha256 for case in target],
            "epochs": list(EPOCHS),
        }
        key = stage_key(facts)
        with cache.claim(key):
            if key not in cache:
                cache.save(key, self._train(source, target), facts)
        channels = source[0].image.shape[0]
        network = DomainAutoencoder(channels, torch.zeros(channels), torch.ones(channels))
        cache.load(key, network)
        return network

    def _train(
        self, source: Sequence[PreparedCase], target: Sequence[PreparedCase]
    ) -> DomainAutoencoder:
        domains = [self._sample(cases) for cases in (source, target)]
        planes = torch.cat(domains)
        is_target = torch.cat([torch.full((len(d),), float(n)) for n, d in enumerate(domains)])
        low, high = _range(planes)
        network = DomainAutoencoder(planes.shape[1], low, high).to(self.device).train()
        optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _share_of_rate)
        for _ in range(sum(EPOCHS)):
            for batch in torch.randperm(len(planes)).chunk(ceil(len(planes) / BATCH_SIZE)):
                optimiser.zero_grad()
                losses = network.losses(
                    planes[batch].to(self.device), is_target[batch].to(self.device)
                )
                torch.stack(list(losses.values())).sum().backward()
                optimiser.step()
            schedule.step()
        return network

    def _sample(self, cases: Sequence[PreparedCase]) -> Tensor:
        """Return planes of a domain, spread evenly where there are more than are trained on."""
        places = [(case, z) for case in cases for z in _slices(case.mask)]
        kept = places
        if len(places) > MOST_PLANES:
            chosen = np.linspace(0, len(places) - 1, MOST_PLANES).round().astype(int)
            kept = [places[number] for number in chosen]
        return torch.cat([self._planes(c.image, slices) for c, slices in _by_case(kept)])


def _by_case(
    places: Sequence[tuple[PreparedCase, int]],
) -> Iterator[tuple[PreparedCase, list[int]]]:
    """Yield each case once, with its slices."""
    slices: dict[str, list[int]] = {}
    cases: dict[str, PreparedCase] = {}
    for case, z in places:
        cases[case.case.id] = case
        slices.setdefault(case.case.id, []).append(z)
    for name, case in cases.items():
        yield case, slices[name]


def _slices(mask: NDArray[np.bool_]) -> list[int]:
    found: list[int] = np.flatnonzero(mask.any(axis=(0, 1))).tolist()
    return found


def _range(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the intensities between which those of each channel lie, outliers apart."""
    channels = planes.numpy().swapaxes(0, 1).reshape(planes.shape[1], -1)
    low, high = np.percentile(channels, PERCENTILES, axis=1).astype(np.float32)
    return torch.from_numpy(low), torch.from_numpy(np.maximum(high, low + 1e-6))


def _share_of_rate(epoch: int) -> float:
    constant, falling = EPOCHS
    return min(1.0, (constant + falling - epoch) / falling)
