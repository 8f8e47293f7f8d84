"""How far the predicted surface lies from the true one."""

from __future__ import annotations

from uda_study.metrics._boundary import SurfaceDistance
from uda_study.metrics._surface import Surfaces


class AverageSurfaceDistance(SurfaceDistance):
    """Mean distance from each structure's predicted surface to the true one, in mm.

    One direction only, so what is missing in the prediction costs little: see `assd`. A structure
    that is empty in both counts as 0, empty in one of them as the image's diagonal.
    """

    def between(self, found: Surfaces) -> float:
        """Return the mean over the predicted surface."""
        return float(found.to_truth.mean())
