"""How far the surfaces are apart where they are far apart."""

from __future__ import annotations

import numpy as np

from uda_study.metrics._boundary import SurfaceDistance
from uda_study.metrics._surface import Surfaces


class Hausdorff95(SurfaceDistance):
    """95th percentile of the Hausdorff distance of each structure's surfaces, in mm.

    The larger of the percentiles of the two directions, interpolated linearly. A structure that is
    empty in both prediction and truth counts as 0, empty in one of them as the image's diagonal.
    """

    def between(self, found: Surfaces) -> float:
        """Return the larger of the two percentiles."""
        return max(float(np.percentile(way, 95)) for way in found)
