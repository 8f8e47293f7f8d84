"""How much target images differ from each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uda_study.data.divergence import common_edges, histograms, to_others
from uda_study.metric import ImageMetric


class JensenShannonWithin(ImageMetric):
    """Mean Jensen-Shannon divergence of each target image from the other target images, in bits.

    Histograms as in ``js``; no image is paired with itself. It is what ``js`` has to be compared
    with: images of one domain are apart as well. A value that falls by translation says that the
    images were made alike, which a generator that collapses also does.
    """

    higher_is_better = False
    unit = "bit"
    undefined = "there is a single image"

    def measure(
        self,
        images: Sequence[NDArray[np.float32]],
        source: Sequence[NDArray[np.float32]],
        reference: Sequence[NDArray[np.float32]],
    ) -> list[float]:
        """Return one mean per image; NaN for a single image."""
        values: list[float] = to_others(
            histograms(images, common_edges(source, reference))
        ).tolist()
        return values
