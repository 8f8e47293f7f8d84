"""How far the surfaces are apart on average."""

from __future__ import annotations

from uda_study.metrics._boundary import SurfaceDistance
from uda_study.metrics._surface import Surfaces


class AverageSymmetricSurfaceDistance(SurfaceDistance):
    """Mean distance between each structure's surfaces over the border voxels of both, in mm.

    A structure that is empty in both prediction and truth counts as 0, empty in one of them as the
    image's diagonal.
    """

    def between(self, found: Surfaces) -> float:
        """Return the mean over both surfaces, the larger one weighing more."""
        total = found.to_truth.sum() + found.to_prediction.sum()
        return float(total / (found.to_truth.size + found.to_prediction.size))
