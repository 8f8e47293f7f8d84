"""What measuring label maps costs, and what sharing between metrics saves.

    python benchmarks/surface_metrics.py

measures pairs of label maps with every `CaseMetric`: ``shared`` hands all metrics one comparison,
``apart`` gives each metric its own, and ``transform`` shares but always computes distances by a
distance transform. Prints seconds of one CPU, the best of ``--repeats``, and ratios.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from uda_study import plugins
from uda_study.metric import CaseMetric, Comparison, Metric
from uda_study.metrics import _surface

SPACING = (1.0, 1.0, 1.5)
Labels = NDArray[np.uint8]
Pair = tuple[Labels, Labels]


def balls(size: tuple[int, int, int], offset: float) -> Labels:
    """Return four ellipsoids, in a row and as large as fits, pushed ``offset`` voxels along x."""
    grid = np.ogrid[tuple(slice(0, n) for n in size)]
    labels = np.zeros(size, np.uint8)
    for k in range(4):
        centre = (size[0] * (0.25 + 0.5 * (k % 2)) + offset, size[1] * (0.25 + 0.5 * (k // 2)))
        radii = (size[0] * 0.2, size[1] * 0.2, size[2] * 0.4)
        middle = (*centre, size[2] / 2)
        inside = sum(((x - c) / r) ** 2 for x, c, r in zip(grid, middle, radii, strict=True)) < 1
        labels[inside] = k + 1
    return labels


def shells(size: tuple[int, int, int]) -> Labels:
    """Return four nested ellipsoids: the boxes around the outer ones are nearly the image."""
    grid = np.ogrid[tuple(slice(0, n) for n in size)]
    apart = sum(((x - n / 2) / (n * 0.48)) ** 2 for x, n in zip(grid, size, strict=True))
    labels: Labels = np.searchsorted([0.25, 0.5, 0.75, 1.0], np.sqrt(apart)).astype(np.uint8)
    return (labels + 1) % 5


def specks(labels: Labels, share: float) -> Labels:
    """Scatter single voxels of random structures over a share of the image."""
    random = np.random.default_rng(0)
    noise = random.random(labels.shape) < share
    drawn = random.integers(1, 5, labels.shape).astype(np.uint8)
    return np.where(noise, drawn, labels)


def pairs() -> dict[str, Pair]:
    """Return predictions and truths by name."""
    small, large = (64, 64, 8), (256, 256, 256)
    nested, organs = shells(large), balls(large, 0)
    inside = np.minimum(nested, 1)
    return {
        "64x64x8, organs": (balls(small, 2), balls(small, 0)),
        "256^3, organs": (balls(large, 3), organs),
        "256^3, nested": (np.roll(nested, 3, axis=0), nested),
        "256^3, organs, specks in 0.2 %": (specks(balls(large, 3), 0.002), organs),
        "256^3, organs, specks in 5 %": (specks(balls(large, 3), 0.05), organs),
        "256^3, specks in a hollow ball": (specks(0 * inside, 0.05) * inside, shells(large) // 4),
    }


def metrics() -> list[CaseMetric]:
    """Return all metrics of label maps."""
    found = [plugins.load("metrics", name, Metric)() for name in plugins.names("metrics")]
    return [metric for metric in found if isinstance(metric, CaseMetric)]


def shared(pair: Pair) -> None:
    """Measure as the evaluator does."""
    comparison = Comparison(*pair, SPACING)
    for metric in metrics():
        metric.measure(comparison, range(1, 5))


def apart(pair: Pair) -> None:
    """Measure each metric as if it were the only one."""
    for metric in metrics():
        metric.measure(Comparison(*pair, SPACING), range(1, 5))


def transform(pair: Pair) -> None:
    """Measure as the evaluator does, without search trees."""
    with patch.object(_surface, "distances", _surface.by_transform):
        shared(pair)


def seconds(run: Callable[[Pair], None], pair: Pair, repeats: int) -> float:
    """Return the CPU seconds of the fastest of several runs."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run(pair)
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    """Print a row for each pair."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=1)
    repeats = parser.parse_args().repeats
    shared((balls((8, 8, 8), 0),) * 2)  # imports the plugins
    print("| pair | shared, s | apart / shared | transform / shared |")
    print("| --- | --- | --- | --- |")
    for name, pair in pairs().items():
        ours, alone, slow = (seconds(run, pair, repeats) for run in (shared, apart, transform))
        print(f"| {name} | {ours:.3f} | {alone / ours:.2f} | {slow / ours:.2f} |", flush=True)


if __name__ == "__main__":
    main()
