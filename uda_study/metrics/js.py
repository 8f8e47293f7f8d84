"""How far the intensities of two domains are apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uda_study.data.divergence import common_edges, histograms, pairwise
from uda_study.errors import InputError, Problem
from uda_study.metric import ImageMetric


class JensenShannon(ImageMetric):
    """Mean Jensen-Shannon divergence of each image's histogram from the source images', in bits.

    JSD(P, Q) = H((P + Q) / 2) - (H(P) + H(Q)) / 2 with base 2, so 0 is equal and 1 disjoint; it is
    not the square root (the distance). Histograms have 64 bins over the 0.1 to 99.9 percentiles of
    all source and reference voxels, values outside are clipped. The value depends on the bins and
    is never 0 between two real images: compare domains by `excess`. Small says that intensities
    agree, not that the anatomy survived: it is no rule for choosing a method.
    """

    higher_is_better = False
    unit = "bit"

    def measure(
        self,
        images: Sequence[NDArray[np.float32]],
        source: Sequence[NDArray[np.float32]],
        reference: Sequence[NDArray[np.float32]],
    ) -> list[float]:
        """Return one mean per image; raises `InputError` for empty or non-finite images."""
        _check({"images": images, "source": source, "reference": reference})
        edges = common_edges(source, reference)
        divergences = pairwise(histograms(images, edges), histograms(source, edges))
        means: list[float] = divergences.mean(axis=1).tolist()
        return means


def _check(groups: dict[str, Sequence[NDArray[np.float32]]]) -> None:
    problems = []
    for name, images in groups.items():
        if not images:
            problems.append(Problem(f"js.{name}", "needs at least one image"))
        for index, image in enumerate(images):
            if image.size == 0:
                problems.append(Problem(f"js.{name}[{index}]", "has no voxels inside its mask"))
            elif not np.isfinite(image).all():
                problems.append(Problem(f"js.{name}[{index}]", "has NaN or infinite voxels"))
    if problems:
        raise InputError(problems)
