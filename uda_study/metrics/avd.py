"""The WMH Segmentation Challenge's volume difference."""

from __future__ import annotations

from uda_study.metric import Comparison
from uda_study.metrics.volume_difference import VolumeDifference


class AbsoluteVolumeDifference(VolumeDifference):
    """Absolute volume difference 100 ||P| - |T|| / |T| of each structure, in percent.

    As in the evaluation code of the WMH Segmentation Challenge (Kuijf et al., IEEE TMI 38, 2019). A
    structure that is empty in both counts as 0; predicted where there is none: NaN.
    """

    higher_is_better = False
    unit = "%"
    default = False

    def value(self, comparison: Comparison, structure: int) -> float:
        """Return the difference of a structure."""
        return 100 * abs(super().value(comparison, structure))
