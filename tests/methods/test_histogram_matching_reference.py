"""Filling the bank and matching against the same written out in NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from uda_study.method import Batch
from uda_study.methods.histogram_matching import HistogramMatching, HistogramMatchingHyper
from uda_study.training.step import Stepper
from uda_study.types import Task

TASK = Task(2, 2, ("background", "organ"), (16, 16), (1.0, 1.0))
IMAGES, SAMPLES, POINTS, BINS = 6, 2, 3, 64


def new_method(at_mean: bool) -> HistogramMatching:
    torch.manual_seed(0)
    hyper = HistogramMatchingHyper.model_validate(
        {
            "segmenter": {"name": "dilated_fcn", "width": 2},
            "images": IMAGES,
            "batch_size": SAMPLES,
            "matching": {"points": POINTS, "at_mean": at_mean},
        }
    )
    method = HistogramMatching(hyper, TASK).double()
    method.stages()[1].begin()
    return method


def batches() -> list[Batch]:
    generator = torch.Generator().manual_seed(1)
    drawn = []
    for _ in range(IMAGES // SAMPLES):
        noise = torch.randn(2, SAMPLES, 2, 16, 16, generator=generator, dtype=torch.float64)
        power = 0.5 + 2 * torch.rand(SAMPLES, 2, 1, 1, generator=generator, dtype=torch.float64)
        drawn.append(Batch(noise[0].abs() ** power, torch.empty(0), 3 * noise[1].abs() - 1))
    return drawn


def written_out(image: np.ndarray, draws: list[Batch], at_mean: bool) -> np.ndarray:
    def threshold(x: np.ndarray) -> float:
        return float(x.mean() if at_mean else x.min())

    def counted(x: np.ndarray) -> np.ndarray:
        return x[x >= threshold(x)]

    def landmarks(x: np.ndarray) -> np.ndarray:
        shares = np.arange(1, POINTS + 1) / (POINTS + 1)
        return np.array([x.min(), threshold(x), *np.quantile(counted(x), shares), x.max()])

    matched = np.empty_like(image)
    for channel in range(2):
        source = [x[channel].numpy() for batch in draws for x in batch.source_image]
        first = [*draws[0].source_image[:, channel], *draws[0].target_image[:, channel]]
        pooled = np.sort(np.concatenate([counted(x.numpy()) for x in first]))
        low, high = (pooled[round(share * (len(pooled) - 1))] for share in (0.001, 0.999))
        edges = np.linspace(low, high, BINS + 1)

        def shares(x: np.ndarray, edges=edges) -> np.ndarray:
            return np.histogram(counted(x).clip(edges[0], edges[-1]), edges)[0]

        for sample, x in enumerate(image[:, channel]):
            apart = [jensenshannon(shares(x), shares(s)) for s in source]
            nearest = source[int(np.argmin(apart))]
            # np.interp wants landmarks that rise; without a threshold the first two are equal.
            skip = 0 if at_mean else 1
            matched[sample, channel] = np.interp(x, landmarks(x)[skip:], landmarks(nearest)[skip:])
    return matched


@pytest.mark.parametrize("at_mean", [True, False])
def test_logits_are_the_source_segmenters_on_images_matched_by_hand(at_mean):
    method, queue = new_method(at_mean), batches()
    stepper = Stepper(method, "bank")
    for _ in range(IMAGES // SAMPLES):
        stepper.step(lambda: queue.pop(0))
    assert not queue
    image = batches()[1].target_image + 0.1
    expected = torch.from_numpy(written_out(image.numpy(), batches(), at_mean))
    torch.testing.assert_close(method.translate(image), expected, rtol=0, atol=1e-6)
    method.eval()
    with torch.no_grad():
        torch.testing.assert_close(
            method.segment(image), method.segmenter(expected), rtol=0, atol=1e-4
        )
