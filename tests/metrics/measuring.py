"""Masks at random, and metrics by name."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from uda_study import plugins
from uda_study.metric import CaseMetric, Comparison

Labels = NDArray[np.uint8]

SPACING = (0.7, 1.0, 3.1)


def measure(
    name: str,
    prediction: Labels,
    truth: Labels,
    spacing: tuple[float, ...] = SPACING,
    classes: Sequence[int] = (1,),
) -> dict[int, float]:
    metric = plugins.load("metrics", name, CaseMetric)()
    return metric.measure(Comparison(prediction, truth, spacing), classes)


def value(name: str, prediction: Labels, truth: Labels, *args: tuple[float, ...]) -> float:
    """Measure masks, which are label maps of one structure."""
    (found,) = measure(name, prediction.astype(np.uint8), truth.astype(np.uint8), *args).values()
    return found


def masks(*shape: int) -> st.SearchStrategy[Labels]:
    """Sparse, dense, empty and full masks."""
    return st.integers(0, 10).flatmap(
        lambda tenths: arrays.arrays(np.uint8, shape, elements=st.integers(0, 10)).map(
            lambda drawn: (drawn <= tenths).astype(np.uint8) * (tenths > 0)
        )
    )


def random_masks(shape: tuple[int, ...], seed: int) -> tuple[Labels, Labels]:
    """Return two masks of which neither is empty, with holes, specks and voxels at the edge."""
    random = np.random.default_rng(seed)
    share = random.choice([0.02, 0.2, 0.7, 0.98])
    truth = random.random(shape) < share
    prediction = truth ^ (random.random(shape) < random.choice([0.01, 0.2]))
    truth.flat[random.integers(truth.size)] = True
    prediction.flat[random.integers(truth.size)] = True
    return prediction.astype(np.uint8), truth.astype(np.uint8)
