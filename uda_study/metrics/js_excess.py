"""How much further a target image is from the source than images of one domain from each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uda_study.data.divergence import common_edges, histograms, pairwise, to_others
from uda_study.metric import ImageMetric


class JensenShannonExcess(ImageMetric):
    """Jensen-Shannon divergence from the source beyond what images of one domain have, in bits.

    D(t, S) - [D(S, S) + D(t, T)] / 2 of one target image t, with D the mean divergence over pairs
    and no image paired with itself; the mean over t is `uda_study.data.divergence.excess` of the
    two domains. 0 means that they differ no more than images within one. The bins raise all terms
    alike, so it depends on them less than the divergence itself. NaN where a domain has a single
    image.
    """

    higher_is_better = False
    unit = "bit"
    undefined = "a domain has a single image"

    def measure(
        self,
        images: Sequence[NDArray[np.float32]],
        source: Sequence[NDArray[np.float32]],
        reference: Sequence[NDArray[np.float32]],
    ) -> list[float]:
        """Return one value per image."""
        edges = common_edges(source, reference)
        ours, theirs = histograms(images, edges), histograms(source, edges)
        between = pairwise(ours, theirs).mean(axis=1)
        within_source = float(to_others(theirs).mean())
        values: list[float] = (between - (within_source + to_others(ours)) / 2).tolist()
        return values
